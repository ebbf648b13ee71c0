"""A new access key in the one answer that shows its secret."""

from kagimori.rules.identity.account import AccessKey


def new_access_key(key: AccessKey, secret_access_key: str | None = None) -> dict[str, str]:
    """Return the members of a new access key; for its record, without the secret."""
    shown = {"AccessKeyId": key.access_key_id}
    return shown if secret_access_key is None else {**shown, "SecretAccessKey": secret_access_key}
