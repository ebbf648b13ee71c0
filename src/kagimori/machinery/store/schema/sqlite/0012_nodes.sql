-- The nodes that share this store: who is a member, ...
CREATE TABLE nodes (
    node_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (node_id)
) WITHOUT ROWID;

-- ... which of them live (written all the time, without a record), ...
CREATE TABLE heartbeats (
    node_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (node_id)
) WITHOUT ROWID;

-- ... and which one does what time asks for. That was a fact of the deployment before.
CREATE TABLE leases (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (name)
) WITHOUT ROWID;
INSERT INTO leases (name, version, body)
    SELECT 'time', 1, CAST('{"name":"time","holder":' || value || '}' AS BLOB)
    FROM deployment WHERE name = 'timer';
DELETE FROM deployment WHERE name = 'timer';
