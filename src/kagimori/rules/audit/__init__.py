"""Audit records in CloudTrail's form, and the chain that ties them together."""
