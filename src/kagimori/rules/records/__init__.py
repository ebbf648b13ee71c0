"""Audit records in CloudTrail's form: how they are made, read again, and shown."""
