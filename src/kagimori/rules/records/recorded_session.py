"""Rebuilds the caller of a recorded request: its credentials, and its session's policies and tags.

A record of a request does not hold the session's policies and tags; the record of the AssumeRole or
GetFederationToken that made the session does. Source: CloudTrail User Guide, "CloudTrail record
contents"; STS API Reference, AssumeRole.
"""

from calendar import timegm
from collections.abc import Mapping
from time import strptime
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.session import FEDERATED, ROLE, ROOT, USER, SessionClaims
from kagimori.rules.partitions import AWS

# In an order in which a session is made before those that are made with it.
MAKERS: Final = ("AssumeRoleWithWebIdentity", "AssumeRole", "GetFederationToken")
# What was recorded did happen, also if the bearer's sessions were ended later.
ANY_GENERATION: Final = 2**63
SESSION_SECONDS_MAX: Final = 129_600
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


class Made(Struct, frozen=True):
    """The policies and tags of a session; without `tags_known` it may have inherited others."""

    policies: tuple[str, ...] = ()
    policy_arns: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    transitive: tuple[str, ...] = ()
    tags_known: bool = True


class Recorded(Struct, frozen=True):
    """Credentials of a record: an access key, or one with a session.

    `made` is None for a session of which it is not known what narrows it.
    """

    access_key: AccessKey
    session: SessionClaims | None = None
    made: Made | None = Made()


def session_made(record: Mapping[str, Any], known: Mapping[str, Made]) -> tuple[str, Made] | None:
    """Return the access key id of the session that a recorded request made, with its parameters.

    `known` are sessions made before, from which tags may be inherited. None: no session was made.
    """
    answer = record.get("responseElements") or {}
    access_key_id = (answer.get("credentials") or {}).get("accessKeyId")
    if record.get("eventName") not in MAKERS or not access_key_id:
        return None
    given = record.get("requestParameters") or {}
    identity = record.get("userIdentity") or {}
    before = Made()
    if "sessionContext" in identity and identity.get("type") == "AssumedRole":
        before = known.get(identity.get("accessKeyId", ""), Made(tags_known=False))
    inherited = {key: before.tags[key] for key in before.transitive if key in before.tags}
    own = {tag["key"]: tag["value"] for tag in given.get("tags") or ()}
    policy = given.get("policy")
    made = Made(
        () if policy is None else (policy,),
        tuple(one["arn"] for one in given.get("policyArns") or ()),
        {**inherited, **own},
        (*inherited, *(given.get("transitiveTagKeys") or ())),
        # The tags of a web identity's token are in the token alone.
        before.tags_known and record["eventName"] != "AssumeRoleWithWebIdentity",
    )
    return access_key_id, made


def recorded(
    identity: Mapping[str, Any], known: Mapping[str, Made], user_name: str | None
) -> Recorded | None:
    """Return the credentials in a record's `userIdentity`; None if it has none.

    `user_name` is what the user of its principal id is called now.
    """
    kind, access_key_id = identity.get("type"), identity.get("accessKeyId", "")
    account_id = identity.get("accountId", "")
    access_key = AccessKey(
        access_key_id=access_key_id,
        account_id=account_id,
        sealed_secret=b"",
        created_at=0.0,
        user_name=user_name if kind == "IAMUser" else None,
    )
    context = identity.get("sessionContext")
    if context is None:
        return Recorded(access_key) if kind in {"Root", "IAMUser"} else None
    attributes = context.get("attributes") or {}
    issued_at = float(timegm(strptime(attributes.get("creationDate", ""), _TIME)))
    session = SessionClaims(
        generation=ANY_GENERATION,
        kind=ROOT,
        partition=_partition(identity),
        account_id=account_id,
        issued_at=issued_at,
        expires_at=issued_at + SESSION_SECONDS_MAX,
        mfa_at=issued_at if attributes.get("mfaAuthenticated") == "true" else None,
        source_identity=context.get("sourceIdentity"),
        provider=(context.get("webIdFederationData") or {}).get("federatedProvider"),
    )
    principal_id = identity.get("principalId", "")
    if kind == "Root":
        return Recorded(access_key, session)
    if kind == "IAMUser":
        name = identity.get("userName", "")
        session = replace(session, kind=USER, name=name, unique_id=principal_id)
        return Recorded(access_key, session)
    issuer = context.get("sessionIssuer") or {}
    if kind not in {"AssumedRole", "FederatedUser"} or not issuer:
        return None
    made = known.get(access_key_id)
    given = made or Made()
    session = replace(
        session,
        kind=ROLE if kind == "AssumedRole" else FEDERATED,
        name=issuer.get("userName", ""),
        unique_id="" if issuer.get("type") == "Root" else issuer.get("principalId", ""),
        session_name=principal_id.partition(":")[2],
        policies=given.policies,
        policy_arns=given.policy_arns,
        tags=given.tags,
        transitive=given.transitive,
    )
    return Recorded(access_key, session, made)


def _partition(identity: Mapping[str, Any]) -> str:
    """Return the partition of a recorded identity's ARN."""
    parts = str(identity.get("arn", "")).split(":")
    return parts[1] if parts[0] == "arn" and len(parts) > 1 else AWS
