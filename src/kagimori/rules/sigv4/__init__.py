"""AWS Signature Version 4: parsing and verifying signatures, and signing our own requests."""
