"""Custom key stores: their entity, their connection states, and the causes of refusals."""
