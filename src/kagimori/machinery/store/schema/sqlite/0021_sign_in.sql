-- The newest sign-in token of each identity that has asked for one: its hash, and until when.
CREATE TABLE sign_in_tokens (
    account_id TEXT NOT NULL,
    holder TEXT NOT NULL,
    token_hash TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account_id, holder)
) WITHOUT ROWID;
CREATE INDEX sign_in_tokens_by_hash ON sign_in_tokens (token_hash, account_id, holder);
