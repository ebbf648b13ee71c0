"""Operations of Service Quotas."""
