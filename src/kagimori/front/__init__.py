"""Decodes requests into calls and encodes answers; decides nothing."""
