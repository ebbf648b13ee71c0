"""Operations of the admin service."""
