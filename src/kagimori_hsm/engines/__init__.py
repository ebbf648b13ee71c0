"""Engines: who holds backing keys and works with them."""
