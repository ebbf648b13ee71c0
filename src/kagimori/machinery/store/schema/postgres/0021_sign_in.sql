-- usable from 20
-- The newest sign-in token of each identity that has asked for one: its hash, and until when.
CREATE TABLE sign_in_tokens (
    account_id TEXT COLLATE "C" NOT NULL,
    holder TEXT COLLATE "C" NOT NULL,
    token_hash TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (account_id, holder)
);
CREATE INDEX sign_in_tokens_by_hash ON sign_in_tokens (token_hash, account_id, holder);
