"""Decisions as pure functions: no I/O, no clock, no randomness. Time and bytes are passed in."""
