-- Custom key stores; `due_at` is set while a connection is made or given up.
CREATE TABLE custom_key_stores (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    key_store_id TEXT NOT NULL,
    due_at REAL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account_id, region, key_store_id)
) WITHOUT ROWID;
CREATE INDEX custom_key_stores_due ON custom_key_stores (due_at) WHERE due_at IS NOT NULL;

-- The store that holds a KMS key, and the id of the external key: one for each KMS key of a store.
ALTER TABLE kms_keys ADD COLUMN custom_key_store_id TEXT;
ALTER TABLE kms_keys ADD COLUMN xks_key_id TEXT;
CREATE INDEX kms_keys_by_key_store ON kms_keys (account_id, custom_key_store_id)
    WHERE custom_key_store_id IS NOT NULL;
CREATE UNIQUE INDEX kms_keys_by_external_key ON kms_keys (account_id, custom_key_store_id, xks_key_id)
    WHERE xks_key_id IS NOT NULL;
