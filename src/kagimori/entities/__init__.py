"""The tables of the store: each noun, its entity type, its key and its groups."""
