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
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account_id, region, key_id)
) WITHOUT ROWID;

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
