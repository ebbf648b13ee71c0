"""The audit trail: the journal, what reads it, and what follows it."""
