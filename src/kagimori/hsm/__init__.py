"""The service's side of the HSM: its process, its client, and the watch over both."""
