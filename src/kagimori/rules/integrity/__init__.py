"""The integrity of the store: marks of rows, and the buckets that say which rows there are."""
