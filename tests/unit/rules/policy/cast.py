"""The people of the decision tables, and policies in few words."""

import json

from kagimori.rules.authorization.decision import IdentityRules, KeyRules, RoleRules
from kagimori.rules.keys.grant import Grant, GrantTerms
from kagimori.rules.keys.grant_index import GrantIndex
from kagimori.rules.policy.document import Kind, parse_policy
from kagimori.rules.policy.evaluate import compile_policy
from kagimori.rules.policy.principal import NameKind, Principal, PrincipalKind
from kagimori.rules.policy.question import Question
from kagimori.rules.policy.values import Values

OURS, THEIRS = "111122223333", "444455556666"
KEY = f"arn:aws:kms:us-east-1:{OURS}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROLE_TO_ASSUME = f"arn:aws:iam::{OURS}:role/Target"


def user_arn(account=OURS):
    return f"arn:aws:iam::{account}:user/U"


def role_arn(account=OURS):
    return f"arn:aws:iam::{account}:role/app/R"


def session_arn(account=OURS):
    return f"arn:aws:sts::{account}:assumed-role/R/s"


def federated_arn(account=OURS):
    return f"arn:aws:sts::{account}:federated-user/F"


def root(account=OURS):
    arn = f"arn:aws:iam::{account}:root"
    return Principal(PrincipalKind.ROOT, account, arn, arn)


def user(account=OURS, unique_id="AIDAUSERUSERUSERUSER"):
    arn = user_arn(account)
    return Principal(
        PrincipalKind.USER, account, arn, arn, ((NameKind.USER, arn), (NameKind.USER, unique_id))
    )


def session(account=OURS):
    arn, role = session_arn(account), role_arn(account)
    names = (
        (NameKind.ROLE, role),
        (NameKind.ROLE, "AROAROLEROLEROLEROLE"),
        (NameKind.SESSION, arn),
    )
    return Principal(PrincipalKind.ROLE_SESSION, account, arn, role, names)


def federated(account=OURS):
    arn = federated_arn(account)
    names = ((NameKind.USER, user_arn(account)), (NameKind.SESSION, arn))
    return Principal(PrincipalKind.FEDERATED_USER, account, arn, arn, names)


SERVICE = Principal(
    PrincipalKind.SERVICE,
    "",
    "backup.amazonaws.com",
    "",
    ((NameKind.SERVICE, "backup.amazonaws.com"),),
)
ANONYMOUS = Principal(PrincipalKind.ANONYMOUS, "", "anonymous", "")


def statement(effect="Allow", action="kms:*", resource="*", **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def compiled(*statements, kind=Kind.IDENTITY, pins=None):
    text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    return compile_policy(parse_policy(text, kind), pins=pins)


ALLOW = compiled(statement())
SILENT = compiled(statement(action="s3:*"))
DENY = compiled(statement("Deny"))


def naming(principal, effect="Allow", **more):
    return statement(
        effect, Principal=principal if principal == "*" else {"AWS": principal}, **more
    )


def key_rules(*statements, grants=(), pins=None):
    policy = compiled(*statements, kind=Kind.KEY, pins=pins)
    return KeyRules(KEY, OURS, policy, GrantIndex(grants))


def rules(identity=None, boundary=None, sessions=None):
    return IdentityRules(
        () if identity is None else (identity,),
        boundary,
        None if sessions is None else tuple(sessions),
    )


def role_rules(*statements):
    return RoleRules(ROLE_TO_ASSUME, OURS, compiled(*statements, kind=Kind.TRUST))


def question(action="kms:Encrypt", resource=KEY, values=None, context=None, source_arn=None):
    return Question(action, resource, Values(values or {}), context, source_arn)


def grant(grantee, *operations, number=1, issuer=OURS, retiring=None, **terms):
    return Grant(
        f"{number:064x}",
        KEY,
        grantee,
        GrantTerms(frozenset(operations or {"Encrypt"}), **terms),
        issuer,
        retiring,
    )
