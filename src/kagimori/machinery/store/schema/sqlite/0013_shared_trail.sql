-- The trail among nodes: lines of journals as their nodes wrote them, in compressed blocks, ...
CREATE TABLE trail_blocks (
    stream TEXT NOT NULL,
    first TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (stream, first)
) WITHOUT ROWID;

-- ... and how far each stream is there.
CREATE TABLE shared_to (
    stream TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (stream)
) WITHOUT ROWID;

-- How far followers have come that one node at a time runs.
CREATE TABLE follower_states (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (name)
) WITHOUT ROWID;

-- Records of silent nodes that others have put into their journals.
CREATE TABLE taken_records (
    event_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (event_id)
) WITHOUT ROWID;
