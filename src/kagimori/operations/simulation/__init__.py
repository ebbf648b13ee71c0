"""Operations of IAM that ask what policies would allow."""
