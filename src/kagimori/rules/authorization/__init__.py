"""Whether a caller may do something, why not, and what would have to change."""
