"""One class for each API action, under AWS's names: what it reads, asks of the HSM, and changes."""
