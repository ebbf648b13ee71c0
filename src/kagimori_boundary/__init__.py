"""Messages between the service and the HSM: types, and nothing that acts."""
