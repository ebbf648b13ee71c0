-- Which account operates the deployment: the one that `init` made, which is the oldest.
INSERT INTO deployment (name, value)
    SELECT 'operator_account_id', '"' || account_id || '"' FROM accounts
    ORDER BY json_extract(CAST(body AS TEXT), '$.created_at'), account_id LIMIT 1;
