-- What no two grants may share: CreateGrant with the same Name and terms, asked twice at once, makes
-- one grant. Grants without a Name, and those from before, claim nothing.
ALTER TABLE grants ADD COLUMN claim TEXT;
CREATE UNIQUE INDEX grants_by_claim ON grants (claim) WHERE claim IS NOT NULL;
