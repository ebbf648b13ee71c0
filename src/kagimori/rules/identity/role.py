"""IAM roles, as stored."""

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar, Final

from msgspec import field

from kagimori.rules.identity.bearer import Bearer
from kagimori.rules.policy.document import Kind, parse_policy
from kagimori.rules.policy.evaluate import CompiledPolicy, compile_policy

SESSION_SECONDS_DEFAULT: Final = 3600


class Role(Bearer, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """A role.

    `trust_pins` are the unique ids that the principals of its trust policy had when it was
    written, by ARN: a re-created namesake is not trusted.
    """

    noun: ClassVar[str] = "role"
    computed_from: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **Bearer.computed_from,
        "compiled_trust": ("trust_policy", "trust_pins"),
    }

    trust_policy: str
    trust_pins: dict[str, str] = field(default_factory=dict)
    description: str = ""
    session_seconds_max: int = SESSION_SECONDS_DEFAULT

    @cached_property
    def compiled_trust(self) -> CompiledPolicy:
        document = parse_policy(self.trust_policy, Kind.TRUST, stored=True)
        return compile_policy(document, self.arn, self.trust_pins)
