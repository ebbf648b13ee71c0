-- The own quotas of an account in a region.
CREATE TABLE account_quotas (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account_id, region)
) WITHOUT ROWID;
