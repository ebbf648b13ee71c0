"""What the module can be asked, by kind: one function for each message."""
