"""The world: stores, the HSM client, the audit journal, the clock, telemetry."""
