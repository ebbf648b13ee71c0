"""What crosses between the service and the HSM: message types, and nothing that acts."""
