-- The change feed has a sequence for each stream: one stream commits one thing after the other, so
-- its sequence is in the order of commits on every engine; one sequence for all would not be.
DROP TABLE changes;
-- The number of the newest change of each stream. Whoever commits for a stream writes its row.
CREATE TABLE feeds (
    stream TEXT NOT NULL,
    newest INTEGER NOT NULL,
    PRIMARY KEY (stream)
) WITHOUT ROWID;
-- What others must read again: `cache_keys` is JSON, `event_id` the record of the change.
CREATE TABLE changes (
    stream TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    cache_keys BLOB NOT NULL,
    PRIMARY KEY (stream, sequence)
) WITHOUT ROWID;
