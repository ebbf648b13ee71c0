"""Operations of CloudTrail."""
