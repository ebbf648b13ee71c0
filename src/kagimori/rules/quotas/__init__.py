"""Request quotas: how often accounts may call, and how their principals share that."""
