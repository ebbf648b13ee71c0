-- The guard of an account: within how many days a key must not have been used to be made unusable.
CREATE TABLE key_guards (
    account_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account_id)
) WITHOUT ROWID;

-- How many keys an account has in a region is a size that is kept.
ALTER TABLE kms_keys ADD COLUMN key_manager TEXT NOT NULL DEFAULT 'CUSTOMER';
UPDATE kms_keys SET key_manager = 'AWS'
    -- A row that cannot be read is named when it is: it does not keep the store from being opened.
    WHERE json_valid(CAST(body AS TEXT))
        AND json_extract(CAST(body AS TEXT), '$.key_manager') = 'AWS';
INSERT INTO group_sizes (name, held_by, members)
SELECT 'kms_keys/by_manager', account_id || '/' || region || '/' || key_manager, count(*)
FROM kms_keys GROUP BY account_id, region, key_manager;
