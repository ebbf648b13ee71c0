-- The trail among nodes, in compressed blocks, and how far each stream is there.
CREATE TABLE trail_blocks (
    stream TEXT COLLATE "C" NOT NULL,
    first TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (stream, first)
);
CREATE TABLE shared_to (
    stream TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (stream)
);

-- How far followers have come that one node at a time runs.
CREATE TABLE follower_states (
    name TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (name)
);

-- Records of silent nodes that others have put into their journals.
CREATE TABLE taken_records (
    event_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (event_id)
);
