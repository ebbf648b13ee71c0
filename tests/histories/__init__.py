"""Histories of concurrent clients, and the check that the promised consistency explains them."""
