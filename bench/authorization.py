"""What it takes to decide who may, in one process: `python bench/authorization.py`.

The path asks `authorize_all`, and so does this: values of the request, identity policies, key
policy and grants, from memory that has them already. Only that memory is made up.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from bare import best_microseconds
from report import Asked as Row

from kagimori.gate.asked import Asked, Need, Settings
from kagimori.gate.may_they import authorize_all
from kagimori.rules.authorization.decision import IdentityRules
from kagimori.rules.identity.bearer import compile_identity_policy
from kagimori.rules.identity.caller import user_caller
from kagimori.rules.identity.user import User
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.keys.stored_grant import StoredGrant
from kagimori.rules.policy.defaults import default_key_policy
from kagimori.rules.policy.document import Kind, parse_policy
from kagimori.rules.policy.evaluate import Effect, compile_policy, evaluate
from kagimori.rules.policy.question import Question
from kagimori.rules.policy.values import Values
from kagimori.rules.request import Call, RawRequest

TYPICAL_US = 10.0
MANY_GRANTS_US = 30.0
FEW_GRANTS, MANY_GRANTS = 5, 50_000
# Twice the input takes twice the time; that of the square would take four times as much.
LINEAR = 3.0
HALF_BYTES = 16 * 1024

ACCOUNT, REGION = "111122223333", "us-east-1"
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
ALICE = User(account_id=ACCOUNT, name="alice", unique_id="AIDAALICEALICEALICE00", created_at=0.0)
KEY = KmsKey(
    account_id=ACCOUNT,
    region=REGION,
    key_id=KEY_ID,
    created_at=0.0,
    key_policy=default_key_policy(ACCOUNT, REGION),
)


def rows() -> Iterator[Row]:
    """Yield what is measured, each beside its limit."""
    few, many = f"{FEW_GRANTS} grants", f"{MANY_GRANTS:,} grants"
    for what, work, limit in (
        (f"authorize: 10 statements, {few}", request(grants=FEW_GRANTS), TYPICAL_US),
        (f"authorize by one of {few}", request(grants=FEW_GRANTS, by_iam=False), TYPICAL_US),
        (f"authorize: 10 statements, {many}", request(grants=MANY_GRANTS), MANY_GRANTS_US),
        (f"authorize by one of {many}", request(grants=MANY_GRANTS, by_iam=False), MANY_GRANTS_US),
    ):
        yield Row.at_most(what, best_microseconds(work), limit, " µs")
    half, whole = (best_microseconds(wildcards(n)) for n in (HALF_BYTES, 2 * HALF_BYTES))
    yield Row.at_most("a policy of `*a*a…`: 32 KiB to 16 KiB", whole / half, LINEAR, " times")


def request(*, grants: int, by_iam: bool = True) -> Callable[[], object]:
    """Return an Encrypt of alice's, allowed by her policy of ten statements or by a grant."""
    statements = ten_statements()
    if not by_iam:
        statements[-1]["Action"] = "kms:ListKeys"
    text = json.dumps({"Version": "2012-10-17", "Statement": statements})
    rules = IdentityRules((compile_identity_policy(text, "ten"),))
    caller = user_caller("AKIAALICE", ALICE, rules)
    volume = {"aws:ebs:id": f"vol-{grants - 1}"}
    given = SimpleNamespace(KeyId=KEY_ID, EncryptionContext=volume, GrantTokens=None)
    headers = ((b"host", b"localhost"), (b"user-agent", b"aws-cli/2"))
    raw = RawRequest("id", b"POST", b"/", headers, b"", "127.0.0.1")
    call = Call("kms", "Encrypt", REGION, given)
    asked = Asked(call, caller, raw, 1.8e9, Settings(), InMemory(grants), lambda: "")
    needs = (Need("kms:Encrypt", KEY, "*", volume),)
    (decision,) = authorize_all(asked, needs).decisions
    assert (decision.grant is None) is by_iam
    return lambda: authorize_all(asked, needs)


def ten_statements() -> list[dict[str, Any]]:
    """Return statements as people have them; the last allows, and needs what the request has."""
    elsewhere = [
        {
            "Effect": "Allow",
            "Action": [f"s3:Get{number}", "s3:List*"],
            "Resource": f"arn:aws:s3:::bucket-{number}/${{aws:username}}/*",
        }
        for number in range(6)
    ]
    return [
        *elsewhere,
        {
            "Effect": "Deny",
            "Action": "kms:*",
            "Resource": "*",
            "Condition": {"NotIpAddress": {"aws:SourceIp": ["127.0.0.0/8", "10.0.0.0/8"]}},
        },
        {"Effect": "Deny", "Action": ["kms:ScheduleKeyDeletion", "kms:Disable*"], "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}},
        },
        {
            "Effect": "Allow",
            "Action": ["kms:Encrypt", "kms:GenerateDataKey*"],
            "Resource": f"arn:aws:kms:*:{ACCOUNT}:key/*",
            "Condition": {"StringLike": {"kms:EncryptionContext:aws:ebs:id": "vol-*"}},
        },
    ]


class InMemory:
    """The grants of the key, all to alice: for a volume each, as services make them."""

    def __init__(self, grants: int) -> None:
        self._grants = tuple(
            StoredGrant(
                account_id=ACCOUNT,
                region=REGION,
                key_id=KEY_ID,
                grant_id=f"{number:064x}",
                created_at=0.0,
                grantee=ALICE.unique_id,
                grantee_shown=ALICE.arn,
                issuing_account=ACCOUNT,
                operations=("Encrypt", "Decrypt", "CreateGrant"),
                encryption_context_subset={"aws:ebs:id": f"vol-{number}"},
            )
            for number in range(grants)
        )

    def group(self, _table: object, _group: str, values: tuple[str, ...]) -> Sequence[StoredGrant]:
        """Return the same object each time, as memory does until something changes."""
        return self._grants if values[-1] == ALICE.unique_id else ()


def wildcards(size: int) -> Callable[[], object]:
    """Return the evaluation of a policy of wildcards, on a text that it fits but for the end."""
    pattern = ("*a" * size)[:size] + "*b*"
    written = {
        "Effect": "Allow",
        "Action": "kms:*",
        "Resource": "*",
        "Condition": {"StringLike": {"aws:UserAgent": pattern}},
    }
    text = json.dumps({"Version": "2012-10-17", "Statement": [written]})
    policy = compile_policy(parse_policy(text, Kind.IDENTITY))
    asked = Question("kms:Encrypt", "*", Values({"aws:useragent": "a" * size}))
    assert evaluate(policy, asked).effect is Effect.NONE
    return lambda: evaluate(policy, asked)


if __name__ == "__main__":
    for row in rows():
        print(f"{row.what:45} {row.measured:>12}  {row.limit:>10}  {'yes' if row.met else 'NO'}")
