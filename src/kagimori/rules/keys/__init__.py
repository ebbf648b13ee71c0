"""KMS keys, their states, aliases and materials, as values."""
