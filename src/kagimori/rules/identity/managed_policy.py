"""Managed policies and where they are attached, as stored."""

from functools import cached_property
from typing import Final

from msgspec import Struct

from kagimori.rules.folding import fold
from kagimori.rules.identity.bearer import compile_identity_policy, identity_arn
from kagimori.rules.partitions import AWS
from kagimori.rules.policy.evaluate import CompiledPolicy

VERSIONS_MAX: Final = 5


class PolicyVersion(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version of a managed policy: `v1`, `v2`, …; numbers are not used again."""

    number: int
    text: str
    created_at: float

    @property
    def version_id(self) -> str:
        return f"v{self.number}"


class ManagedPolicy(Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """A managed policy with its versions, oldest first; `newest` is the last number given out."""

    account_id: str
    name: str
    path: str = "/"
    unique_id: str
    created_at: float
    updated_at: float
    description: str | None = None
    versions: tuple[PolicyVersion, ...]
    default_number: int = 1
    newest: int = 1
    tags: dict[str, str] = {}
    partition: str = AWS
    version: int = 1

    @property
    def folded(self) -> str:
        return fold(self.name)

    @cached_property
    def arn(self) -> str:
        return identity_arn(self.partition, self.account_id, "policy", self.path, self.name)

    @property
    def default(self) -> PolicyVersion:
        return next(one for one in self.versions if one.number == self.default_number)

    @cached_property
    def compiled(self) -> CompiledPolicy:
        return compile_identity_policy(self.default.text, self.arn)

    def policy_version(self, version_id: str) -> PolicyVersion | None:
        return next((one for one in self.versions if one.version_id == version_id), None)


class Attachment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The attachment of a managed policy, found by the policy; the identity lists it as well.

    `noun` is user, group or role, `bearer` its folded name.
    """

    account_id: str
    policy_arn: str
    use: str  # "policy" or "boundary"
    noun: str
    bearer: str
    version: int = 1
