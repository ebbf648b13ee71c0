"""Commands about the module itself: greeting, unsealing, domains, health."""

from typing import ClassVar

from kagimori_boundary.commands.command import (
    EVERY_ROLE,
    OPERATOR_ALONE,
    OPERATOR_AND_WORKER,
    HsmCommand,
    Role,
)


class Hello(HsmCommand, frozen=True, tag=1):
    roles: ClassVar[frozenset[Role]] = EVERY_ROLE

    version: int


class Unseal(HsmCommand, frozen=True, tag=2):
    """Operator: open the sealed domains, or keep them until a custodian opens them.

    Slow: a token or another KMS may have to be asked.
    """

    roles: ClassVar[frozenset[Role]] = OPERATOR_ALONE
    is_slow: ClassVar[bool] = True

    sealed_domains: bytes


class CreateDomains(HsmCommand, frozen=True, tag=3):
    """Operator: make the domains that do not exist yet; answers all of them, sealed anew.

    `operator_account_id` is sealed with them, once: the account whose identities may have secrets
    made in other accounts. It cannot be changed afterwards.
    """

    roles: ClassVar[frozenset[Role]] = OPERATOR_ALONE

    names: list[str]
    operator_account_id: str = ""


class AdmitFollower(HsmCommand, frozen=True, tag=34):
    """Operator: connections of this process are a follower's from now on, and of no other."""

    roles: ClassVar[frozenset[Role]] = OPERATOR_ALONE

    process_id: int


class Zeroize(HsmCommand, frozen=True, tag=35):
    """Operator: forget every key, for as long as this process lives."""

    roles: ClassVar[frozenset[Role]] = OPERATOR_ALONE


class DescribeModule(HsmCommand, frozen=True, tag=70):
    """State, reason, and the self-tests that passed last."""

    roles: ClassVar[frozenset[Role]] = OPERATOR_AND_WORKER


class RunSelfTests(HsmCommand, frozen=True, tag=71):
    """Operator: run every self-test now; one that fails is the error state."""

    roles: ClassVar[frozenset[Role]] = OPERATOR_ALONE
    is_slow: ClassVar[bool] = True
