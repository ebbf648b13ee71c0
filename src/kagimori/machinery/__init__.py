"""Access to the outside world: stores, clock, randomness, files, logs and telemetry."""
