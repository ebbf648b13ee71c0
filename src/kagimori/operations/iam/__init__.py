"""Operations of IAM."""
