"""Audit records in CloudTrail's form: writing, reading and showing them."""
