"""The request values of the gate: call, caller, settings, and the needed permissions."""

from collections.abc import Callable, Mapping

from msgspec import Struct, field

from kagimori.gate.account_view import AccountView
from kagimori.rules.authorization.authorize import RoleRules
from kagimori.rules.identity.caller import Caller
from kagimori.rules.keys.grant import Grant, GrantTerms
from kagimori.rules.keys.key_quota import KMS_KEYS_MAX
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.keys.usage_record import Usages
from kagimori.rules.partitions import partition_of
from kagimori.rules.policy.steps import Steps
from kagimori.rules.quotas.profile import OFF
from kagimori.rules.request import Call, RawRequest


class NewKeyChoices:
    """The properties of a new key that its tags choose: none, but in a server for tests."""

    def key_id(self, tags: dict[str, str]) -> str | None:
        return None

    def material(self, tags: dict[str, str]) -> bytes | None:
        return None

    def kept(self, tags: dict[str, str]) -> dict[str, str]:
        """Return the tags that the key keeps."""
        return tags


class Settings(Struct, frozen=True):
    """The settings of the deployment that operations need.

    `trust_roots` are the PEM certificates that attestation documents may lead to. Policies and
    grants may name principals that do not exist only with `unknown_principals`. What spans accounts
    may be allowed to identities of `operator_account_id` alone. What operators approve can be
    performed for `approval_valid_seconds` after they could refuse it.
    """

    regions: frozenset[str] = frozenset()
    trust_roots: tuple[bytes, ...] = ()
    new_key_choices: NewKeyChoices = NewKeyChoices()
    unknown_principals: bool = False
    home_region: str = ""
    tracking_started_at: float = 0.0
    operator_account_id: str = ""
    quota_profile: str = OFF
    quota_rates: Mapping[str, float] = {}
    kms_keys_max: int = KMS_KEYS_MAX
    approval_valid_seconds: int = 7 * 86_400


class Request(Struct, gc=False):
    """One request that has been read: who asks for what, and when. It cannot look at the store.

    `now` is seconds since the epoch.
    """

    call: Call
    caller: Caller
    raw: RawRequest
    now: float
    settings: Settings

    @property
    def partition(self) -> str:
        """The name of the partition in which the call takes place."""
        return partition_of(self.call.region).name

    @property
    def trust_roots(self) -> tuple[bytes, ...]:
        return self.settings.trust_roots


class Drawn(Struct, eq=False):
    """Random UUIDs, drawn once for a request: each look begins at the first (`at` 0) again.

    So a request that is decided anew asks the HSM for the same, which need not be done twice.
    """

    source: Callable[[], str]
    at: int = 0
    values: list[str] = field(default_factory=list)

    def __call__(self) -> str:
        if self.at == len(self.values):
            self.values.append(self.source())
        self.at += 1
        return self.values[self.at - 1]


class Asked(Request, gc=False):
    """A request while it is looked into: with what may be read and drawn for it.

    `draw` answers a fresh random UUID. `steps` are those that deciding may take.
    """

    view: AccountView
    draw: Callable[[], str]
    usages: Usages = Usages()
    steps: Steps = field(default_factory=Steps)
    drawn: Drawn | None = None  # behind `draw`, where it may be decided anew

    def begin_again(self) -> None:
        """Give the next decision what this one was given: all steps, and the same draws."""
        self.steps = Steps()


class Need(Struct, frozen=True, gc=False):
    """One thing that must be allowed: an action on a KMS key, or (without one) on a resource.

    The other fields are what conditions may ask about: the context (None where there is none),
    the alias the key was named by, the key that CreateKey would make, the tags of a resource that
    is no KMS key, and `values` for condition keys that only this operation has (in lower case).
    """

    action: str
    kms_key: KmsKey | None = None
    resource: str = "*"
    encryption_context: dict[str, str] | None = None
    alias_name: str | None = None
    planned: KmsKey | None = None
    proposed: GrantTerms | None = None  # the terms of the grant that CreateGrant would make
    retires: Grant | None = None  # the grant that RetireGrant would end
    re_encrypts_on_same_key: bool = False
    assumes: RoleRules | None = None  # the role that AssumeRole would give
    resource_tags: dict[str, str] | None = None
    values: Mapping[str, str | list[str]] = {}
