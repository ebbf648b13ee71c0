"""Roots: what opens the sealed domain keys after a restart."""
