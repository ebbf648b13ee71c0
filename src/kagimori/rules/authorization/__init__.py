"""Authorization: decisions, their explanation, and the smallest change that would allow more."""
