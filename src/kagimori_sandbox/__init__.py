"""What a process gives up for good: files, networks, system calls. Used by workers and the HSM."""
