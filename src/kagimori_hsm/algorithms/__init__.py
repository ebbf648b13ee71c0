"""The key specs of AWS KMS over the `cryptography` library, one file a family; bytes to bytes."""
