"""Self-tests of the module: known answers, the random generators, and its own files."""
