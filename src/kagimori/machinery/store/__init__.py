"""The store: one port, several implementations."""
