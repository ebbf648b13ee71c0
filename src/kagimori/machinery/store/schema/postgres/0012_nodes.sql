-- The nodes that share this store, which of them live, and which one does what time asks for.
CREATE TABLE nodes (
    node_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (node_id)
);
CREATE TABLE heartbeats (
    node_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (node_id)
);
CREATE TABLE leases (
    name TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (name)
);
