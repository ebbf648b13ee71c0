"""Operations of AWS KMS."""
