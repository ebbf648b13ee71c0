"""Small worlds for the duel: few names, so that policies and requests meet often."""

import json

from hypothesis import strategies as st

from kagimori.rules.authorization.authorize import IdentityRules, KeyRules
from kagimori.rules.keys.grant import Grant, GrantTerms
from kagimori.rules.keys.grant_index import GrantIndex
from kagimori.rules.policy.document import Kind, parse_policy
from kagimori.rules.policy.evaluate import compile_policy
from kagimori.rules.policy.principal import NameKind, Principal, PrincipalKind
from kagimori.rules.policy.question import Question
from kagimori.rules.policy.values import Values

OURS, THEIRS = "111122223333", "444455556666"
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY = f"arn:aws:kms:us-east-1:{OURS}:key/{KEY_ID}"
ROLE = f"arn:aws:iam::{OURS}:role/app/R"
USER = f"arn:aws:iam::{OURS}:user/U"
SESSION = f"arn:aws:sts::{OURS}:assumed-role/R/s"
FEDERATED = f"arn:aws:sts::{OURS}:federated-user/F"
THEIR_ROLE = f"arn:aws:iam::{THEIRS}:role/R"
THEIR_SESSION = f"arn:aws:sts::{THEIRS}:assumed-role/R/s"
SERVICE = "backup.amazonaws.com"
NAMES = [ROLE, USER, SESSION, FEDERATED, THEIR_ROLE, THEIR_SESSION]

CALLERS = [
    {"kind": "root", "account": OURS, "names": []},
    {"kind": "root", "account": THEIRS, "names": []},
    {"kind": "user", "account": OURS, "names": [("user", USER), ("user", "AIDAUUUUUUUUUUUUUUUU")]},
    {"kind": "user session", "account": OURS, "names": [("user", USER)]},
    {"kind": "role session", "account": OURS, "names": [("role", ROLE), ("session", SESSION)]},
    {"kind": "federated user", "account": OURS, "names": [("user", USER), ("session", FEDERATED)]},
    {
        "kind": "role session",
        "account": THEIRS,
        "names": [("role", THEIR_ROLE), ("session", THEIR_SESSION)],
    },
    {"kind": "service", "account": "", "names": [("service", SERVICE)]},
    {"kind": "anonymous", "account": "", "names": []},
]

ACTIONS = [
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "kms:DescribeKey",
    "kms:PutKeyPolicy",
    "kms:CreateGrant",
]
ACTION_PATTERNS = [
    *ACTIONS,
    "*",
    "kms:*",
    "KMS:encrypt",
    "kms:*crypt",
    "kms:?????pt",
    "kms:Generate*Key",
    "s3:*",
    "kms:Nonsense",
]
RESOURCES = [
    "*", KEY, "arn:aws:kms:*", f"arn:aws:kms:*:{OURS}:key/*", "arn:aws:kms:*:key/*", "arn:aws:kms:us-*-1:*:*",
    f"arn:aws:kms:us-east-?:{OURS}:*", "arn:aws:*", "arn:aws:kms:?:*:key/*", f"arn:aws:kms:*:{THEIRS}:key/*",
    "arn:aws:kms:*:*:key/${aws:PrincipalTag/key}", "arn:aws:kms:*:*:${aws:userid, 'key/*'}", "arn:aws:kms:*:*:k?y/1*ab",
    "arn:aws:kms:us-east-1:*:key/${*}", "arn:aws:k*:us-east-1:*:*", "arn:aws:kms", "nonsense",
    f"arn:aws:kms:us-e*t-1:{OURS}:key/*", "arn:aws:kms:u*1:key/*", f"arn:aws:kms:us-east-1:{OURS}:key/??34*",
]  # fmt: skip
KEYS = ["kms:ViaService", "KMS:encryptionContextKeys", "kms:EncryptionContext:app", "aws:PrincipalArn", "aws:CurrentTime",
        "aws:SourceIp", "aws:SecureTransport", "kms:ResourceAliases", "kms:Unknown", "aws:TagKeys", "kms:RotationPeriodInDays"]  # fmt: skip
TEXTS = ["app", "App", "a*", "*", "?pp", "", "key/*", KEY_ID, "${aws:PrincipalTag/key}", "${aws:username, 'app'}", "${*}", "${?}pp",
         "${$}{x}", "${aws:TagKeys}", ROLE, "arn:aws:iam::*:role/*", "arn:aws:iam::*", "arn:aws:*am::${aws:userid}:r*/${*}",
         "90", "90.0", "-1", "+365", "1e3", "2024-01-01T00:00:00Z", "2024-01-01", "2024-01-01T01:00:00+01:00", "1704067200",
         "10.0.0.0/8", "10.1.2.3", "::1", "::/0", "1.2.3.4/99", "true", "FALSE", "YXBw", "YXBw==", "${", "é", "É", "\u212a", "k"]  # fmt: skip
FAMILIES = ["StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike",
            "NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals",
            "DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals",
            "Bool", "BinaryEquals", "IpAddress", "NotIpAddress", "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "Null"]  # fmt: skip

pick = st.sampled_from
operators = st.builds(
    lambda q, name, suffix: q + name + suffix,
    pick(["", "", "", "ForAllValues:", "ForAnyValue:"]),
    st.one_of(
        pick(FAMILIES), pick(["StringEquals", "StringLike", "Null", "Nonsense", "stringequals"])
    ),
    pick(["", "", "IfExists"]),
)
request_texts = pick(
    [t for t in TEXTS if "\u212a" not in t] + [SESSION, "backup.us-east-1.amazonaws.com", OURS]
)
# The Kelvin sign and its like fold differently here and in Java's rules: not a matter for the duel.
policy_texts = pick([t for t in TEXTS if "\u212a" not in t])


def one_or_many(strategy, *, smallest=1):
    return st.one_of(strategy, st.lists(strategy, min_size=smallest, max_size=3))


conditions = st.dictionaries(
    operators,
    st.dictionaries(pick(KEYS), one_or_many(policy_texts), min_size=1, max_size=2),
    max_size=2,
)
principals = st.one_of(
    st.just("*"),
    st.fixed_dictionaries(
        {"AWS": one_or_many(pick(["*", OURS, f"arn:aws:iam::{OURS}:root", THEIRS, *NAMES, *NAMES]))}
    ),
    st.fixed_dictionaries(
        {"AWS": pick([OURS, USER]), "Service": pick([SERVICE, "ec2.amazonaws.com"])}
    ),
    st.fixed_dictionaries({"Service": one_or_many(pick([SERVICE, "ec2.amazonaws.com"]))}),
    st.lists(pick([OURS, *NAMES]), min_size=1, max_size=5).map(lambda names: {"AWS": names}),
)


@st.composite
def statements(draw, *, in_key_policy):
    effect = draw(pick(["Allow", "Allow", "Deny"]))
    statement = {"Effect": effect}
    if in_key_policy:
        element = "NotPrincipal" if draw(pick([False, False, True])) else "Principal"
        statement[element] = draw(principals)
    statement[draw(pick(["Action", "Action", "Action", "NotAction"]))] = draw(
        one_or_many(pick(ACTION_PATTERNS))
    )
    resources = st.one_of(st.just("*"), one_or_many(pick(RESOURCES)))
    statement[draw(pick(["Resource", "Resource", "Resource", "NotResource"]))] = draw(resources)
    if draw(pick([True, False])):
        statement["Condition"] = draw(conditions)
    return statement


def policies(*, in_key_policy):
    return st.builds(
        lambda version, listed: {**version, "Statement": listed},
        pick([{"Version": "2012-10-17"}, {"Version": "2012-10-17"}, {}]),
        st.lists(statements(in_key_policy=in_key_policy), min_size=1, max_size=4),
    )


contexts = st.one_of(
    st.none(), st.dictionaries(pick(["app", "App", "tenant"]), pick(["a", "b"]), max_size=2)
)
grants = st.fixed_dictionaries(
    {
        "key": pick([KEY, KEY, KEY + "x"]),
        "grantee": pick([*NAMES, OURS, THEIRS, SERVICE]),
        "operations": st.lists(
            pick(["Encrypt", "Decrypt", "GenerateDataKey", "DescribeKey", "CreateGrant"]),
            min_size=1,
            max_size=3,
        ),
        "equals": contexts,
        "subset": contexts,
        "source_arn": pick([None, None, ROLE]),
        "issuer": pick([OURS, THEIRS]),
    }
)
values_given = st.dictionaries(
    pick([k.lower() for k in KEYS] + ["aws:principaltag/key", "aws:userid", "aws:username"]),
    st.lists(request_texts, max_size=3),
    max_size=7,
)
worlds = st.fixed_dictionaries(
    {
        "caller": pick(CALLERS),
        "action": pick(ACTIONS),
        "values": values_given,
        "context": contexts,
        "source_arn": pick([None, ROLE]),
        "identity": st.lists(policies(in_key_policy=False), max_size=2),
        "boundary": st.one_of(st.none(), st.none(), policies(in_key_policy=False)),
        "sessions": st.one_of(
            st.none(), st.none(), st.lists(policies(in_key_policy=False), max_size=2)
        ),
        "key_policy": policies(in_key_policy=True),
        "grants": st.lists(grants, max_size=3),
    }
)
# Worlds in which only grants can let anybody in, and identity policies say all or nothing.
ALL = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
NAMES_NOBODY = {
    "Statement": [{**ALL["Statement"][0], "Principal": {"Service": "ec2.amazonaws.com"}}]
}
grant_worlds = st.fixed_dictionaries(
    {
        "caller": pick(CALLERS),
        "action": pick(["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"]),
        "values": st.just({}),
        "context": contexts,
        "source_arn": pick([None, ROLE]),
        "identity": pick([[], [ALL]]),
        "boundary": pick(
            [
                None,
                None,
                ALL,
                {"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]},
            ]
        ),
        "sessions": pick([None, [], [ALL]]),
        "key_policy": st.just(NAMES_NOBODY),
        "grants": st.lists(grants, min_size=1, max_size=12),
    }
)


def compiled(policy, kind=Kind.IDENTITY):
    return compile_policy(parse_policy(json.dumps(policy, ensure_ascii=False), kind, stored=True))


def principal_of(caller):
    names = tuple((NameKind(kind), name) for kind, name in caller["names"])
    return Principal(PrincipalKind(caller["kind"]), caller["account"], "arn", "arn", names)


def question_of(world, resource=KEY):
    return Question(
        world["action"], resource, Values(world["values"]), world["context"], world["source_arn"]
    )


def grant_of(number, written):
    terms = GrantTerms(
        frozenset(written["operations"]),
        written["equals"],
        written["subset"],
        written["source_arn"],
    )
    return Grant(str(number), written["key"], written["grantee"], terms, written["issuer"])


def rules_of(world):
    sessions = world["sessions"]
    identity = IdentityRules(
        tuple(compiled(p) for p in world["identity"]),
        None if world["boundary"] is None else compiled(world["boundary"]),
        None if sessions is None else tuple(compiled(p) for p in sessions),
    )
    index = GrantIndex(grant_of(n, g) for n, g in enumerate(world["grants"]))
    return identity, KeyRules(KEY, OURS, compiled(world["key_policy"], Kind.KEY), index)


def request_of(world):
    return {
        "caller": world["caller"],
        "action": world["action"],
        "resource": KEY,
        "values": world["values"],
        "context": world["context"],
        "source_arn": world["source_arn"],
    }
