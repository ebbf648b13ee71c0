"""Sandboxes a process for good: files, networks, system calls. For workers and the HSM."""
