"""The IAM policy language: documents parsed, compiled, evaluated."""
