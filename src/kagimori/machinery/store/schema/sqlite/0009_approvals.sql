-- Requests for dangerous actions, which operators sign; ids are in the order of time.
CREATE TABLE approvals (
    request_id TEXT NOT NULL,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (request_id)
) WITHOUT ROWID;
CREATE INDEX approvals_by_state ON approvals (state, request_id);
