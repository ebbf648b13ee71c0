-- Identities: users, groups, roles, managed policies; who is in which group, which policy is where.

-- Access keys are found by their owner as well; the empty owner is the account's root user.
ALTER TABLE access_keys ADD COLUMN account_id TEXT NOT NULL DEFAULT '';
ALTER TABLE access_keys ADD COLUMN owner TEXT NOT NULL DEFAULT '';
UPDATE access_keys SET account_id = json_extract(CAST(body AS TEXT), '$.account_id');
CREATE INDEX access_keys_by_owner ON access_keys (account_id, owner, access_key_id);

-- The newest use of each access key; written now and then, without a record of its own.
CREATE TABLE access_key_uses (
    access_key_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (access_key_id)
) WITHOUT ROWID;

CREATE TABLE iam_users (
    account_id TEXT NOT NULL,
    folded TEXT NOT NULL,
    unique_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account_id, folded)
) WITHOUT ROWID;
CREATE UNIQUE INDEX iam_users_by_id ON iam_users (unique_id);

CREATE TABLE iam_groups (
    account_id TEXT NOT NULL,
    folded TEXT NOT NULL,
    unique_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account_id, folded)
) WITHOUT ROWID;
CREATE UNIQUE INDEX iam_groups_by_id ON iam_groups (unique_id);

CREATE TABLE iam_roles (
    account_id TEXT NOT NULL,
    folded TEXT NOT NULL,
    unique_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account_id, folded)
) WITHOUT ROWID;
CREATE UNIQUE INDEX iam_roles_by_id ON iam_roles (unique_id);

CREATE TABLE iam_policies (
    account_id TEXT NOT NULL,
    folded TEXT NOT NULL,
    unique_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account_id, folded)
) WITHOUT ROWID;
CREATE UNIQUE INDEX iam_policies_by_id ON iam_policies (unique_id);

CREATE TABLE iam_memberships (
    account_id TEXT NOT NULL,
    in_group TEXT NOT NULL,
    member TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account_id, in_group, member)
) WITHOUT ROWID;
CREATE INDEX iam_memberships_by_member ON iam_memberships (account_id, member, in_group);

-- Where managed policies are in use; `use` is 'policy' or 'boundary'.
CREATE TABLE iam_attachments (
    account_id TEXT NOT NULL,
    policy_arn TEXT NOT NULL,
    use TEXT NOT NULL,
    noun TEXT NOT NULL,
    bearer TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account_id, policy_arn, use, noun, bearer)
) WITHOUT ROWID;

-- An alias names one account of the deployment.
CREATE TABLE account_aliases (
    alias TEXT NOT NULL,
    account_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (alias)
) WITHOUT ROWID;
CREATE INDEX account_aliases_by_account ON account_aliases (account_id, alias);

CREATE TABLE iam_instance_profiles (
    account_id TEXT NOT NULL,
    folded TEXT NOT NULL,
    role TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account_id, folded)
) WITHOUT ROWID;
CREATE INDEX iam_instance_profiles_by_role ON iam_instance_profiles (account_id, role, folded);

CREATE TABLE iam_login_profiles (
    account_id TEXT NOT NULL,
    member TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account_id, member)
) WITHOUT ROWID;

CREATE TABLE iam_password_policies (
    account_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account_id)
) WITHOUT ROWID;

CREATE TABLE iam_mfa_devices (
    account_id TEXT NOT NULL,
    folded TEXT NOT NULL,
    holder TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account_id, folded)
) WITHOUT ROWID;
CREATE INDEX iam_mfa_devices_by_holder ON iam_mfa_devices (account_id, holder, folded);

CREATE TABLE iam_oidc_providers (
    account_id TEXT NOT NULL,
    url TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account_id, url)
) WITHOUT ROWID;
