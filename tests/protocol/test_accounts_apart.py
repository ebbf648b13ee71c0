"""One account's administrator asks every operation about another account's things.

Each request is made twice: with the name of something that the other account has, and with the
name of something that nobody has. Both must be answered alike, and nothing of the other account's
may be in an answer.
"""

import base64
import json
from types import SimpleNamespace

import msgspec
import pytest
from botocore.exceptions import ClientError

import serving
from kagimori.operations.registry import OPERATIONS
from kagimori.rules.keys.stored_grant import grant_token, read_grant_token
from model_samples import least_request, members_of

MARK = "only-theirs-7f3a"
SERVICES = ("kms", "iam", "sts", "cloudtrail", "kagimori")
MISSING_UUID = "11111111-2222-4333-8444-555555555555"
# What is told across accounts, as on AWS: GetAccessKeyInfo answers for any access key, and an
# account alias is unique among all accounts.
TOLD = {("sts", "GetAccessKeyInfo"), ("iam", "CreateAccountAlias")}
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "x.amazonaws.com"}, "Action": "sts:*"}
        ],
    }
)
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}],
    }
)


def clients(server, made):
    return SimpleNamespace(
        **{
            service: server.client(
                service,
                access_key=made["access_key_id"],
                secret=made["secret_access_key"],
                parameter_validation=False,
            )
            for service in SERVICES
        }
    )


@pytest.fixture(scope="module")
def world(own_server):
    """Two accounts: `theirs` has one of everything, `ours` has an administrator and little else."""
    server = own_server
    made = serving.run("account", "create", "--data", server.data, "--output", "json")
    ours = json.loads(made.stdout)
    theirs = clients(server, server.made)
    made_there = things_of(theirs, server.account)
    world = SimpleNamespace(
        server=server,
        ours=clients(server, ours),
        our_id=ours["account_id"],
        theirs=theirs,
        names=names(made_there, server.account, ours["account_id"]),
    )
    yield world
    for client in (*vars(world.ours).values(), *vars(theirs).values()):
        client.close()


def things_of(theirs, account):
    """Make one of everything in an account; return how each is named."""
    kms, iam = theirs.kms, theirs.iam
    tag = [{"Key": MARK, "Value": MARK}]
    iam.create_user(UserName="theirs", Tags=tag)
    iam.create_group(GroupName="theirs")
    iam.create_role(RoleName="theirs", AssumeRolePolicyDocument=TRUST, Description=MARK, Tags=tag)
    policy = iam.create_policy(PolicyName="theirs", PolicyDocument=POLICY, Description=MARK)
    iam.create_instance_profile(InstanceProfileName="theirs", Tags=tag)
    iam.create_account_alias(AccountAlias="theirs")
    access_key = iam.create_access_key(UserName="theirs")["AccessKey"]["AccessKeyId"]
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="theirs")["VirtualMFADevice"]
    provider = iam.create_open_id_connect_provider(
        Url="https://theirs.example.com", ClientIDList=[MARK], ThumbprintList=["0" * 40]
    )
    kms_tag = [{"TagKey": MARK, "TagValue": MARK}]
    key = kms.create_key(Description=MARK, Tags=kms_tag)["KeyMetadata"]
    signer = kms.create_key(Description=MARK, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    for name in ("alias/theirs", f"alias/{MARK}"):
        kms.create_alias(AliasName=name, TargetKeyId=key["KeyId"])
    user = f"arn:aws:iam::{account}:user/theirs"
    grants = [
        kms.create_grant(
            KeyId=key["KeyId"],
            GranteePrincipal=user,
            RetiringPrincipal=user,
            Operations=["Decrypt"],
            Name=f"{MARK}-{number}",
        )
        for number in range(2)
    ]
    return SimpleNamespace(
        access_key=access_key,
        blob=kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"],
        device=device["SerialNumber"],
        event=theirs.cloudtrail.lookup_events(MaxResults=1).get("NextToken", "x"),
        grant=grants[0],
        key=key,
        markers=[
            kms.list_aliases(Limit=1)["NextMarker"],
            kms.list_keys(Limit=1)["NextMarker"],
            kms.list_grants(KeyId=key["KeyId"], Limit=1)["NextMarker"],
            kms.list_retirable_grants(RetiringPrincipal=user, Limit=1)["NextMarker"],
        ],
        policy=policy["Policy"]["Arn"],
        provider=provider["OpenIDConnectProviderArn"],
        signer=signer["KeyMetadata"]["Arn"],
        user=user,
    )


def names(made, account, our_id):
    """Return, for each member that names something, pairs of what exists and what does not."""
    key, missing = made.key["Arn"], made.key["Arn"].replace(made.key["KeyId"], MISSING_UUID)
    alias = key[: key.index("key/")] + "alias/theirs"
    no_alias = alias.replace("theirs", "nobody")
    keys = [(key, missing), (made.signer, missing), (alias, no_alias)]
    grant_id, no_grant = made.grant["GrantId"], "f" * 64
    token = made.grant["GrantToken"]
    ref = read_grant_token(token)
    no_token = grant_token(msgspec.structs.replace(ref, grant_id=no_grant))
    nor_key = grant_token(msgspec.structs.replace(ref, key_id=MISSING_UUID))
    blob = bytearray(made.blob)
    blob[5] ^= 255
    ours_of = {
        kind: (f"arn:aws:iam::{account}:{kind}/theirs", f"arn:aws:iam::{account}:{kind}/nobody")
        for kind in ("user", "role", "group")
    }
    users = [ours_of["user"], ours_of["role"]]
    named = ("theirs", "nobody")
    forged = [(text, spoilt(text, account, our_id)) for text in made.markers]
    return {
        "KeyId": keys,
        "TargetKeyId": keys,
        "SourceKeyId": keys,
        "DestinationKeyId": keys,
        "GrantId": [(grant_id, no_grant)],
        "GrantToken": [(token, no_token), (token, nor_key)],
        "GrantTokens": [([token], [no_token]), ([token], [nor_key])],
        "GranteePrincipal": users,
        "RetiringPrincipal": users,
        "CiphertextBlob": [(made.blob, bytes(blob))],
        "Marker": forged,
        "NextToken": [(made.event, made.event[:-1])],
        "AliasName": [("alias/theirs", "alias/nobody")],
        "UserName": [named],
        "GroupName": [named],
        "RoleName": [named],
        "PolicyName": [named],
        "InstanceProfileName": [named],
        "PolicyArn": [(made.policy, made.policy.replace("theirs", "nobody"))],
        "PermissionsBoundary": [(made.policy, made.policy.replace("theirs", "nobody"))],
        "PolicyArns": [
            ([{"arn": made.policy}], [{"arn": made.policy.replace("theirs", "nobody")}])
        ],
        "AccessKeyId": [(made.access_key, "AKIA" + "2" * 16)],
        "SerialNumber": [(made.device, made.device.replace("theirs", "nobody"))],
        "OpenIDConnectProviderArn": [(made.provider, made.provider.replace("theirs", "nobody"))],
        "AccountAlias": [named],
        "PolicySourceArn": list(ours_of.values()),
        "CallerArn": users,
        "ResourceArns": [([key], [missing]), *(([one], [two]) for one, two in users)],
        "ResourceArn": [(key, missing)],
        "ResourceOwner": [(account, "9" * 12)],
        "RoleArn": [ours_of["role"]],
        "LookupAttributes": [
            ([lookup("ResourceName", key)], [lookup("ResourceName", missing)]),
            ([lookup("Username", "theirs")], [lookup("Username", "nobody")]),
            ([lookup("AccessKeyId", made.access_key)], [lookup("AccessKeyId", "AKIA" + "2" * 16)]),
        ],
    }


def lookup(key, value):
    return {"AttributeKey": key, "AttributeValue": value}


def spoilt(marker, account, our_id):
    """Return a marker as the caller could have made it: of its own account."""
    text = base64.b64decode(marker, altchars=b"-_").decode().replace(account, our_id)
    return base64.b64encode(text.encode(), altchars=b"-_").decode()


def requests(world):
    """Yield each operation with each member that names something, and the pairs of its values."""
    # What makes or changes something of the caller's own comes last: it would make names ours.
    changing = ("Create", "Add", "Put", "Attach", "Enable", "Tag", "Upload")
    ordered = sorted(OPERATIONS, key=lambda one: (one[1].startswith(changing), one))
    for service, operation in ordered:
        if service not in SERVICES:
            continue
        for member in members_of(service, operation):
            for pair in world.names.get(member, ()):
                yield service, operation, member, pair


def outcome(client, operation, given):
    """Return an answer without what differs from request to request, or code and message."""
    try:
        answer = client._make_api_call(operation, given)
    except ClientError as refused:
        error = refused.response["Error"]
        return error["Code"], error["Message"] or ""
    answer.pop("ResponseMetadata")
    answer.pop("PositionToken", None)  # the trail grows with every request
    return "ok", json.dumps(answer, default=str, sort_keys=True)


def told(outcome, names, value):
    """Return what was told, with the caller's own words taken out."""
    code, text = outcome
    keys = names["KeyId"][0]  # a grant token says which key it is about
    for word in sorted((*_words(value), *keys), key=len, reverse=True):
        text = text.replace(word, "NAME")
    assert MARK not in text, (code, text)
    return code, text if code != "ok" or not _makes_something(text) else ""


def _words(value):
    """Yield a value and the parts of it that refusals repeat."""
    if isinstance(value, list):
        for one in value:
            yield from _words(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _words(one)
    elif isinstance(value, str):
        yield value
        yield value.rpartition("/")[2]
        yield value.rpartition(":")[2]


def _makes_something(text):
    return "CreateDate" in text or "Credentials" in text or "Plaintext" in text


def test_what_is_anothers_is_like_what_is_nobodys(world):
    tried, differences = set(), []
    for service, operation, member, (existing, missing) in requests(world):
        if (service, operation) in TOLD:
            continue
        client = getattr(world.ours, service)
        given = least_request(service, operation)
        if operation in ("RetireGrant", "CreateGrant") and member in ("GrantId", "KeyId"):
            given |= {"KeyId": world.names["KeyId"][0][0], "GrantId": "e" * 64}
            if operation == "CreateGrant":
                given |= {"GranteePrincipal": world.names["GranteePrincipal"][0][1]}
                given.pop("GrantId")
        answers = [
            told(outcome(client, operation, {**given, member: value}), world.names, value)
            for value in (existing, missing)
        ]
        assert answers[0][0] != "InternalFailure", (service, operation, member)
        tried.add((service, operation))
        if answers[0] != answers[1]:
            differences.append((service, operation, member, existing, *answers))
    assert not differences
    assert len(tried) > 140, len(tried)


def test_a_denial_across_accounts_is_in_the_callers_trail_alone(world):
    key = world.names["KeyId"][0][0]
    with serving.refused("AccessDeniedException"):
        world.ours.kms.list_aliases(KeyId=key)

    def denied():
        events = world.ours.cloudtrail.lookup_events(
            LookupAttributes=[lookup("EventName", "ListAliases")]
        )["Events"]
        return [json.loads(one["CloudTrailEvent"]) for one in events]

    serving.eventually(lambda: any(one.get("errorCode") == "AccessDenied" for one in denied()))
    assert all(not one["resources"] for one in denied())
    owners = world.theirs.cloudtrail.lookup_events(LookupAttributes=[lookup("ResourceName", key)])
    assert all(
        json.loads(one["CloudTrailEvent"])["userIdentity"]["accountId"] != world.our_id
        for one in owners["Events"]
    )


def test_a_use_across_accounts_is_in_both_trails(world):
    kms = world.theirs.kms
    # A key of its own: it is in the trails of both from now on.
    key = kms.create_key()["KeyMetadata"]["Arn"]
    root = f"arn:aws:iam::{world.our_id}:root"
    made = kms.create_grant(KeyId=key, GranteePrincipal=root, Operations=["Encrypt"])
    world.ours.kms.encrypt(KeyId=key, Plaintext=b"x", GrantTokens=[made["GrantToken"]])

    def of(client):
        events = client.lookup_events(LookupAttributes=[lookup("ResourceName", key)])["Events"]
        found = (json.loads(one["CloudTrailEvent"]) for one in events)
        return [one for one in found if one["eventName"] == "Encrypt" and "sharedEventID" in one]

    serving.eventually(lambda: of(world.ours.cloudtrail) and of(world.theirs.cloudtrail))
    (ours,), (theirs,) = of(world.ours.cloudtrail), of(world.theirs.cloudtrail)
    assert ours["sharedEventID"] == theirs["sharedEventID"]
    assert (ours["recipientAccountId"], theirs["recipientAccountId"]) == (
        world.our_id,
        world.server.account,
    )
    kms.revoke_grant(KeyId=key, GrantId=made["GrantId"])
