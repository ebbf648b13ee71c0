-- The buckets that list the rows of each table and group, sealed with a key of the HSM: see
-- rules/integrity/. A row of this table decides nothing without its seal.
CREATE TABLE integrity (
    space TEXT COLLATE "C" NOT NULL,
    bucket BIGINT NOT NULL,
    version BIGINT NOT NULL,
    content BYTEA NOT NULL,
    seal BYTEA NOT NULL,
    PRIMARY KEY (space, bucket)
);
