"""The `kagimori` command."""
