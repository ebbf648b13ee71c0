"""Decisions, pure: no input or output, no clock, no chance. Time and bytes are handed in."""
