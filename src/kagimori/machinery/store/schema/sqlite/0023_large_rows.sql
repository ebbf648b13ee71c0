-- usable from 20
-- The rows of which there are most lie in the order in which they come, and are found by an index of their keys. In the
-- order of their keys (WITHOUT ROWID) few of them fit a page of the tree, even of its inner pages, so that a change among
-- a million cost twice as much.
CREATE TABLE integrity_new (
    space TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    version INTEGER NOT NULL,
    content BLOB NOT NULL,
    seal BLOB NOT NULL,
    PRIMARY KEY (space, bucket)
);
INSERT INTO integrity_new (space, bucket, version, content, seal)
SELECT space, bucket, version, content, seal FROM integrity;
DROP TABLE integrity;
ALTER TABLE integrity_new RENAME TO integrity;

CREATE TABLE grants_new (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    key_id TEXT NOT NULL,
    grant_id TEXT NOT NULL,
    grantee TEXT NOT NULL,
    retiring TEXT,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    claim TEXT,
    PRIMARY KEY (account_id, region, key_id, grant_id)
);
INSERT INTO grants_new (account_id, region, key_id, grant_id, grantee, retiring, name, version, body, claim)
SELECT account_id, region, key_id, grant_id, grantee, retiring, name, version, body, claim FROM grants;
DROP TABLE grants;
ALTER TABLE grants_new RENAME TO grants;
CREATE INDEX grants_by_grantee ON grants (account_id, region, key_id, grantee, grant_id);
CREATE INDEX grants_by_retiring ON grants (region, retiring, account_id, key_id, grant_id);
CREATE INDEX grants_by_name ON grants (account_id, region, key_id, name, grant_id);
CREATE UNIQUE INDEX grants_by_claim ON grants (claim) WHERE claim IS NOT NULL;
