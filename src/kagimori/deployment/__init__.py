"""A deployment in its data folder, and what the command line changes there."""
