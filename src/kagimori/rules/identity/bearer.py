"""The base of users, groups and roles: the identities that policies are attached to.

Names are kept as written and are unique ignoring case (`folded` is the key).
"""

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar

from msgspec import Struct

from kagimori.rules.folding import fold
from kagimori.rules.partitions import AWS
from kagimori.rules.policy.document import Kind, parse_policy
from kagimori.rules.policy.evaluate import CompiledPolicy, compile_policy


class Bearer(Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """An identity with policies: a user, a group or a role.

    `inline_policies` are texts by name, `attached` the ARNs of managed policies in the order of
    attachment. Times are seconds since the epoch. Sessions of an earlier `session_generation` are
    over.
    """

    noun: ClassVar[str] = ""
    computed_from: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "compiled_inline": ("inline_policies",)
    }

    account_id: str
    name: str
    path: str = "/"
    unique_id: str
    created_at: float
    inline_policies: dict[str, str] = {}
    attached: tuple[str, ...] = ()
    boundary: str | None = None
    tags: dict[str, str] = {}
    partition: str = AWS
    session_generation: int = 0
    version: int = 1

    @cached_property
    def folded(self) -> str:
        return fold(self.name)

    @cached_property
    def arn(self) -> str:
        return identity_arn(self.partition, self.account_id, self.noun, self.path, self.name)

    @cached_property
    def compiled_inline(self) -> tuple[CompiledPolicy, ...]:
        return tuple(
            compile_identity_policy(text, name) for name, text in self.inline_policies.items()
        )


def identity_arn(partition: str, account_id: str, noun: str, path: str, name: str) -> str:
    return f"arn:{partition}:iam::{account_id}:{noun}{path}{name}"


def compile_identity_policy(text: str, name: str) -> CompiledPolicy:
    """Return a stored policy compiled for evaluation; `name` (or ARN) goes into findings."""
    return compile_policy(parse_policy(text, Kind.IDENTITY, stored=True), name)
