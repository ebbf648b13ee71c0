-- What a deployment is: one row for each fact ('created_at', 'region', ...).
CREATE TABLE deployment (
    name TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- Every entity: its key, its version (grows with each change), and itself as JSON.
CREATE TABLE accounts (
    account_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account_id)
) WITHOUT ROWID;

CREATE TABLE access_keys (
    access_key_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (access_key_id)
) WITHOUT ROWID;

CREATE TABLE kms_keys (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    key_id TEXT NOT NULL,
    due_at REAL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account_id, region, key_id)
) WITHOUT ROWID;
CREATE INDEX kms_keys_due ON kms_keys (due_at) WHERE due_at IS NOT NULL;
-- The members of a multi-Region set share their id.
CREATE INDEX kms_keys_by_id ON kms_keys (account_id, key_id, region);

CREATE TABLE materials (
    region TEXT NOT NULL,
    material_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (region, material_id)
) WITHOUT ROWID;

CREATE TABLE aliases (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    alias_name TEXT NOT NULL,
    target_key_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account_id, region, alias_name)
) WITHOUT ROWID;
CREATE INDEX aliases_by_key ON aliases (account_id, region, target_key_id, alias_name);

CREATE TABLE grants (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    key_id TEXT NOT NULL,
    grant_id TEXT NOT NULL,
    grantee TEXT NOT NULL,
    retiring TEXT,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account_id, region, key_id, grant_id)
) WITHOUT ROWID;
CREATE INDEX grants_by_grantee ON grants (account_id, region, key_id, grantee, grant_id);
CREATE INDEX grants_by_retiring ON grants (region, retiring, account_id, key_id, grant_id);
CREATE INDEX grants_by_name ON grants (account_id, region, key_id, name, grant_id);

-- The newest use of each key; written every few seconds, without a record of its own.
CREATE TABLE key_usages (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    key_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account_id, region, key_id)
) WITHOUT ROWID;

-- The change feed: what other workers must read again. `cache_keys` is JSON, `stream` who wrote.
CREATE TABLE changes (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    stream TEXT NOT NULL,
    cache_keys BLOB NOT NULL
);

-- The record of each change, committed with it; removed once the journal has it.
CREATE TABLE outbox (
    event_id TEXT NOT NULL PRIMARY KEY,
    stream TEXT NOT NULL,
    journal_sequence INTEGER NOT NULL,
    record BLOB NOT NULL
) WITHOUT ROWID;
