"""The stories of STS and CloudTrail: each operation that can be asked in process."""

from kagimori.entities.tables import ACCESS_KEYS
from kagimori.operations.cloudtrail.events import ListPublicKeys, LookupEvents
from kagimori.rules.identity.account import AccessKey
from kit.iam_story import POLICY, TRUST
from kit.trial import ACCOUNT, NOW, Trial, allow

ACCESS_KEY_ID = "AKIAIOSFODNN7EXAMPLE"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"


def sts_trial():
    """Return a trial with a user alice, who may do all, and a role `r` that trusts her account."""
    trial = Trial()
    trial.user("alice", allow("*"))
    trust = TRUST.replace('"sts:AssumeRole"', '"sts:*"')
    trial.call("CreateRole", service="iam", RoleName="r", AssumeRolePolicyDocument=trust)
    key = AccessKey(
        access_key_id=ACCESS_KEY_ID, account_id=ACCOUNT, sealed_secret=b"sealed", created_at=NOW
    )
    trial.view.put(ACCESS_KEYS, key)
    return trial


def sts_story(call):
    """Tell of temporary credentials; those of `sts_trial` are to exist."""
    call("GetCallerIdentity")
    call("GetAccessKeyInfo", AccessKeyId=ACCESS_KEY_ID)
    call("GetSessionToken", by="alice", DurationSeconds=900)
    tags = [{"Key": "team", "Value": "vault"}]
    arns = [{"arn": "arn:aws:iam::aws:policy/AdministratorAccess"}]
    call("GetFederationToken", by="alice", Name="fed", Policy=POLICY, PolicyArns=arns, Tags=tags)
    call(
        "AssumeRole",
        by="alice",
        RoleArn=ROLE,
        RoleSessionName="session",
        Policy=POLICY,
        PolicyArns=arns,
        Tags=tags,
        TransitiveTagKeys=["team"],
        ExternalId="external",
        SourceIdentity="alice",
    )


class EmptyTrail:
    """An audit index in which nothing was recorded yet."""

    def events(self, waiting_for, query):
        return ()

    def public_key(self, waiting_for):
        return None


def cloudtrail_trial():
    """Return a trial of operations that look into an audit index."""
    trail = EmptyTrail()
    found = {("cloudtrail", one.name): one for one in (LookupEvents(trail), ListPublicKeys(trail))}
    return Trial(operations=found)


def cloudtrail_story(call):
    attribute = {"AttributeKey": "EventName", "AttributeValue": "CreateKey"}
    call("LookupEvents", LookupAttributes=[attribute])
    call("ListPublicKeys")
