-- The last denials, in a ring of slots, for `kagimori why`.
CREATE TABLE denials (
    slot TEXT NOT NULL,
    request_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (slot)
) WITHOUT ROWID;
CREATE INDEX denials_by_request ON denials (request_id);
