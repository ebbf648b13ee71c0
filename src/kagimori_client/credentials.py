"""Finds access keys where AWS's own tools find them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field


class NoCredentials(Exception):
    """There are no credentials, or there is no region; one line for a person."""


@dataclass(frozen=True)
class Credentials:
    """An access key; with a session token if it is temporary."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


def find_credentials(environment: Mapping[str, str] = os.environ) -> Credentials:
    """Return the credentials that the AWS CLI would use.

    Those of the environment come first; then botocore looks for others, in AWS's configuration
    files and beyond, if it is installed.

    Raises:
        NoCredentials: there are none.
    """
    access_key_id = environment.get("AWS_ACCESS_KEY_ID")
    secret_access_key = environment.get("AWS_SECRET_ACCESS_KEY")
    if access_key_id and secret_access_key and "AWS_PROFILE" not in environment:
        return Credentials(
            access_key_id, secret_access_key, environment.get("AWS_SESSION_TOKEN") or None
        )
    found = _from_configuration()
    if found is None:
        raise NoCredentials(
            "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        )
    return found


def find_region(environment: Mapping[str, str] = os.environ) -> str:
    """Return the region that the AWS CLI would use.

    Raises:
        NoCredentials: none is set.
    """
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if region:
        return region
    try:
        import botocore.session  # noqa: PLC0415 - a good part of a second, for few commands
    except ImportError:
        configured = None
    else:
        configured = botocore.session.get_session().get_config_variable("region")
    if configured is None:
        raise NoCredentials("no region: set AWS_REGION")
    return str(configured)


def _from_configuration() -> Credentials | None:
    try:
        import botocore.exceptions  # noqa: PLC0415 - as above
        import botocore.session  # noqa: PLC0415
    except ImportError:
        return None
    try:
        found = botocore.session.get_session().get_credentials()
        if found is None:
            return None
        frozen = found.get_frozen_credentials()
    except botocore.exceptions.BotoCoreError as problem:
        raise NoCredentials(" ".join(str(problem).split())) from None
    return Credentials(frozen.access_key, frozen.secret_key, frozen.token)
