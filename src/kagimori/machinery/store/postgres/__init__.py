"""The store in PostgreSQL, or in an engine that speaks its protocol."""
