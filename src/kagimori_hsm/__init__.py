"""The hardware security module, as software: the one process that holds keys in plain."""
