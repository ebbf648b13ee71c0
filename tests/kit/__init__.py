"""Parts for tests of operations and policies that need no server, no store and no socket."""
