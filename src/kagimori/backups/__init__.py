"""Backups of a deployment: made while it is served, restored to an empty place, and proved."""
