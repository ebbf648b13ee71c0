"""The HSM's commands by kind: one function for each message."""
