-- The schema as it is with migration 14 of SQLite's dialect; later ones come in both dialects.
--
-- Only what other engines with PostgreSQL's protocol have as well. Texts are in the order of their
-- bytes, whatever order the database has, so that pages come as they do from SQLite.
CREATE TABLE deployment (
    name TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE accounts (
    account_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (account_id)
);

CREATE TABLE access_keys (
    access_key_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    account_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    owner TEXT COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (access_key_id)
);
CREATE INDEX access_keys_by_owner ON access_keys (account_id, owner, access_key_id);

CREATE TABLE kms_keys (
    account_id TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    due_at DOUBLE PRECISION,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    custom_key_store_id TEXT COLLATE "C",
    xks_key_id TEXT COLLATE "C",
    PRIMARY KEY (account_id, region, key_id)
);
CREATE INDEX kms_keys_due ON kms_keys (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX kms_keys_by_id ON kms_keys (account_id, key_id, region);
CREATE INDEX kms_keys_by_key_store ON kms_keys (account_id, custom_key_store_id)
    WHERE custom_key_store_id IS NOT NULL;
CREATE UNIQUE INDEX kms_keys_by_external_key ON kms_keys (account_id, custom_key_store_id, xks_key_id)
    WHERE xks_key_id IS NOT NULL;

CREATE TABLE materials (
    region TEXT COLLATE "C" NOT NULL,
    material_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (region, material_id)
);

CREATE TABLE aliases (
    account_id TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    alias_name TEXT COLLATE "C" NOT NULL,
    target_key_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (account_id, region, alias_name)
);
CREATE INDEX aliases_by_key ON aliases (account_id, region, target_key_id, alias_name);

CREATE TABLE grants (
    account_id TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    grant_id TEXT COLLATE "C" NOT NULL,
    grantee TEXT COLLATE "C" NOT NULL,
    retiring TEXT COLLATE "C",
    name TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    claim TEXT COLLATE "C",
    PRIMARY KEY (account_id, region, key_id, grant_id)
);
CREATE INDEX grants_by_grantee ON grants (account_id, region, key_id, grantee, grant_id);
CREATE INDEX grants_by_retiring ON grants (region, retiring, account_id, key_id, grant_id);
CREATE INDEX grants_by_name ON grants (account_id, region, key_id, name, grant_id);
CREATE UNIQUE INDEX grants_by_claim ON grants (claim) WHERE claim IS NOT NULL;

CREATE TABLE key_usages (
    account_id TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (account_id, region, key_id)
);

CREATE TABLE outbox (
    event_id TEXT COLLATE "C" NOT NULL,
    stream TEXT COLLATE "C" NOT NULL,
    journal_sequence BIGINT NOT NULL,
    record BYTEA NOT NULL,
    PRIMARY KEY (event_id)
);

CREATE TABLE denials (
    slot TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (slot)
);
CREATE INDEX denials_by_request ON denials (request_id);

CREATE TABLE access_key_uses (
    access_key_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (access_key_id)
);

CREATE TABLE iam_users (
    account_id TEXT COLLATE "C" NOT NULL,
    folded TEXT COLLATE "C" NOT NULL,
    unique_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (account_id, folded)
);
CREATE UNIQUE INDEX iam_users_by_id ON iam_users (unique_id);

CREATE TABLE iam_groups (
    account_id TEXT COLLATE "C" NOT NULL,
    folded TEXT COLLATE "C" NOT NULL,
    unique_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (account_id, folded)
);
CREATE UNIQUE INDEX iam_groups_by_id ON iam_groups (unique_id);

CREATE TABLE iam_roles (
    account_id TEXT COLLATE "C" NOT NULL,
    folded TEXT COLLATE "C" NOT NULL,
    unique_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (account_id, folded)
);
CREATE UNIQUE INDEX iam_roles_by_id ON iam_roles (unique_id);

CREATE TABLE iam_policies (
    account_id TEXT COLLATE "C" NOT NULL,
    folded TEXT COLLATE "C" NOT NULL,
    unique_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (account_id, folded)
);
CREATE UNIQUE INDEX iam_policies_by_id ON iam_policies (unique_id);

CREATE TABLE iam_memberships (
    account_id TEXT COLLATE "C" NOT NULL,
    in_group TEXT COLLATE "C" NOT NULL,
    member TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (account_id, in_group, member)
);
CREATE INDEX iam_memberships_by_member ON iam_memberships (account_id, member, in_group);

CREATE TABLE iam_attachments (
    account_id TEXT COLLATE "C" NOT NULL,
    policy_arn TEXT COLLATE "C" NOT NULL,
    use TEXT COLLATE "C" NOT NULL,
    noun TEXT COLLATE "C" NOT NULL,
    bearer TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (account_id, policy_arn, use, noun, bearer)
);

CREATE TABLE account_aliases (
    alias TEXT COLLATE "C" NOT NULL,
    account_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (alias)
);
CREATE INDEX account_aliases_by_account ON account_aliases (account_id, alias);

CREATE TABLE iam_instance_profiles (
    account_id TEXT COLLATE "C" NOT NULL,
    folded TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (account_id, folded)
);
CREATE INDEX iam_instance_profiles_by_role ON iam_instance_profiles (account_id, role, folded);

CREATE TABLE iam_login_profiles (
    account_id TEXT COLLATE "C" NOT NULL,
    member TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (account_id, member)
);

CREATE TABLE iam_password_policies (
    account_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (account_id)
);

CREATE TABLE iam_mfa_devices (
    account_id TEXT COLLATE "C" NOT NULL,
    folded TEXT COLLATE "C" NOT NULL,
    holder TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (account_id, folded)
);
CREATE INDEX iam_mfa_devices_by_holder ON iam_mfa_devices (account_id, holder, folded);

CREATE TABLE iam_oidc_providers (
    account_id TEXT COLLATE "C" NOT NULL,
    url TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (account_id, url)
);

CREATE TABLE domains (
    name TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE closed_domain_keys (
    key_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (key_id)
);

CREATE TABLE audit_keys (
    name TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE custom_key_stores (
    account_id TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    key_store_id TEXT COLLATE "C" NOT NULL,
    due_at DOUBLE PRECISION,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (account_id, region, key_store_id)
);
CREATE INDEX custom_key_stores_due ON custom_key_stores (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE approvals (
    request_id TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (request_id)
);
CREATE INDEX approvals_by_state ON approvals (state, request_id);

CREATE TABLE account_quotas (
    account_id TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (account_id, region)
);

CREATE TABLE feeds (
    stream TEXT COLLATE "C" NOT NULL,
    newest BIGINT NOT NULL,
    PRIMARY KEY (stream)
);

CREATE TABLE changes (
    stream TEXT COLLATE "C" NOT NULL,
    sequence BIGINT NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL,
    cache_keys BYTEA NOT NULL,
    PRIMARY KEY (stream, sequence)
);
