"""The hash chain over the records, the signed digests of it, and their verification."""
