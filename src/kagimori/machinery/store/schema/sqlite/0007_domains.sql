-- The rings of domain keys, sealed by the HSM, and what is known of each key; one row, 'all'.
CREATE TABLE domains (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (name)
) WITHOUT ROWID;
INSERT INTO domains (name, version, body)
    SELECT 'all', 1, CAST('{"name":"all","sealed":"' || base64(value) || '"}' AS BLOB)
    FROM deployment WHERE name = 'sealed_domains';
DELETE FROM deployment WHERE name = 'sealed_domains';

-- Domain keys (hex of their ids) under which no further token is taken in: they are destroyed, or
-- about to be.
CREATE TABLE closed_domain_keys (
    key_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (key_id)
) WITHOUT ROWID;

-- The key that signs digests, as a token, and its public half; one row, 'audit_key'.
CREATE TABLE audit_keys (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (name)
) WITHOUT ROWID;
INSERT INTO audit_keys (name, version, body)
    SELECT 'audit_key', 1, CAST(
        '{"name":"audit_key","token":"' || base64(token.value)
        || '","public_key":"' || base64(public.value) || '"}' AS BLOB
    )
    FROM deployment AS token, deployment AS public
    WHERE token.name = 'audit_key' AND public.name = 'audit_public_key';
DELETE FROM deployment WHERE name IN ('audit_key', 'audit_public_key');
