"""The parts of a policy document, as written; no meaning yet.

Source: IAM User Guide, reference_policies_grammar; KMS Developer Guide, "Key policies in AWS KMS".
"""

from enum import Enum
from typing import Final

from msgspec import Struct

from .condition import Condition
from .principal import Principals

VERSION_WITH_VARIABLES: Final = "2012-10-17"


class Kind(Enum):
    """The kind of a policy document; identity covers managed, inline, session and boundary."""

    KEY = "key policy"
    IDENTITY = "identity policy"
    TRUST = "role trust policy"


class Statement(Struct, frozen=True):
    """One statement; an element that is absent is None, its negated twin is a flag."""

    sid: str
    allows: bool
    actions: tuple[str, ...] | None
    not_action: bool
    resources: tuple[str, ...] | None
    not_resource: bool
    principals: Principals | None
    not_principal: bool
    conditions: tuple[Condition, ...]


class Document(Struct, frozen=True):
    """A whole policy."""

    kind: Kind
    version: str
    policy_id: str
    statements: tuple[Statement, ...]

    @property
    def has_variables(self) -> bool:
        """Return whether `${…}` is a policy variable here."""
        return self.version == VERSION_WITH_VARIABLES


class Fault(Exception):
    """A fault in a policy; `bad_arn` marks ARNs, for which KMS has an error of its own."""

    def __init__(self, message: str, *, bad_arn: bool = False) -> None:
        super().__init__(message)
        self.bad_arn = bad_arn
