"""Accounts, access keys and callers, as values."""
