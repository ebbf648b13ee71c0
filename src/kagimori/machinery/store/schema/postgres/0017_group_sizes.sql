-- How many members groups have that a limit bounds, by the values that they share (`held_by`).
-- Commits that add or remove a member write it, so that none has to count.
CREATE TABLE group_sizes (
    name TEXT COLLATE "C" NOT NULL,
    held_by TEXT COLLATE "C" NOT NULL,
    members BIGINT NOT NULL,
    PRIMARY KEY (name, held_by)
);
INSERT INTO group_sizes (name, held_by, members)
SELECT 'grants/by_key', account_id || '/' || region || '/' || key_id, count(*) FROM grants GROUP BY account_id, region, key_id;
INSERT INTO group_sizes (name, held_by, members)
SELECT 'iam_users/by_account', account_id, count(*) FROM iam_users GROUP BY account_id;
INSERT INTO group_sizes (name, held_by, members)
SELECT 'iam_groups/by_account', account_id, count(*) FROM iam_groups GROUP BY account_id;
INSERT INTO group_sizes (name, held_by, members)
SELECT 'iam_roles/by_account', account_id, count(*) FROM iam_roles GROUP BY account_id;
INSERT INTO group_sizes (name, held_by, members)
SELECT 'iam_policies/by_account', account_id, count(*) FROM iam_policies GROUP BY account_id;
INSERT INTO group_sizes (name, held_by, members)
SELECT 'iam_instance_profiles/by_account', account_id, count(*) FROM iam_instance_profiles GROUP BY account_id;
INSERT INTO group_sizes (name, held_by, members)
SELECT 'iam_mfa_devices/by_account', account_id, count(*) FROM iam_mfa_devices GROUP BY account_id;
INSERT INTO group_sizes (name, held_by, members)
SELECT 'iam_oidc_providers/by_account', account_id, count(*) FROM iam_oidc_providers GROUP BY account_id;
