-- The buckets that list the rows of each table and group, sealed with a key of the HSM: see
-- rules/integrity/. A row of this table decides nothing without its seal.
CREATE TABLE integrity (
    space TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    version INTEGER NOT NULL,
    content BLOB NOT NULL,
    seal BLOB NOT NULL,
    PRIMARY KEY (space, bucket)
) WITHOUT ROWID;
