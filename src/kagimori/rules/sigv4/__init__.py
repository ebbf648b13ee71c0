"""Signature Version 4, header form: what was signed, by whom, and whether it holds."""
