"""Commands about seals: opened, tried, added and removed by custodians, who hold the roots.

A custodian is whoever shows the custodian key, which lies where no worker can read it. Secrets go
from the custodian's command to the HSM and nowhere else.
"""

from typing import ClassVar

from kagimori_boundary.commands.command import (
    EVERY_ROLE,
    OPERATOR_ALONE,
    OPERATOR_AND_CUSTODIAN,
    HsmCommand,
    Role,
)


class AdmitCustodians(HsmCommand, frozen=True, tag=50):
    """Operator: take connections that show this key for a custodian's."""

    roles: ClassVar[frozenset[Role]] = OPERATOR_ALONE

    custodian_key: bytes


class BecomeCustodian(HsmCommand, frozen=True, tag=51):
    """Show the custodian key; commands on this connection are a custodian's from then on."""

    roles: ClassVar[frozenset[Role]] = EVERY_ROLE

    custodian_key: bytes


class DescribeSeals(HsmCommand, frozen=True, tag=52):
    """List the seals, and how far each is with being opened."""

    roles: ClassVar[frozenset[Role]] = EVERY_ROLE


class OpenSeal(HsmCommand, frozen=True, tag=53):
    """Give a passphrase or one share, to open the domains that were shown with Unseal.

    Answers how many are there. Enough of them make the HSM operational; all are forgotten then.
    """

    roles: ClassVar[frozenset[Role]] = OPERATOR_AND_CUSTODIAN
    is_slow: ClassVar[bool] = True

    seal_id: str
    secret: bytes


class TestSeal(HsmCommand, frozen=True, tag=54):
    """Try a seal of domains that are open, as `OpenSeal` does; changes nothing.

    `secret` is empty for kinds that open without a person.
    """

    roles: ClassVar[frozenset[Role]] = OPERATOR_AND_CUSTODIAN
    is_slow: ClassVar[bool] = True

    seal_id: str
    secret: bytes


class AddSeal(HsmCommand, frozen=True, tag=55):
    """Make a seal; it is a seal once a worker has had it kept.

    `secret` is the passphrase, or the content of the file; shares are drawn by the HSM.
    """

    roles: ClassVar[frozenset[Role]] = OPERATOR_AND_CUSTODIAN
    is_slow: ClassVar[bool] = True

    kind: str
    label: str
    parameters: dict[str, str | int]
    secret: bytes


class MakeFirstSeal(HsmCommand, frozen=True, tag=59):
    """Operator: make the first seal of a new deployment, before its domains; as `AddSeal`.

    Without it, `CreateDomains` makes one of the seal key.
    """

    roles: ClassVar[frozenset[Role]] = OPERATOR_ALONE
    is_slow: ClassVar[bool] = True

    kind: str
    label: str
    parameters: dict[str, str | int]
    secret: bytes


class RemoveSeal(HsmCommand, frozen=True, tag=56):
    """Leave a seal out, and draw a new root key; both are in force once a worker has had it kept.

    `approval` is for the operators of the deployment, if several of them must agree.
    """

    roles: ClassVar[frozenset[Role]] = OPERATOR_AND_CUSTODIAN

    seal_id: str
    approval: bytes = b""


class TakeSealEvents(HsmCommand, frozen=True, tag=57):
    """Return the attempts that are not acknowledged yet; forget those up to a number."""

    acknowledged: int


class MakeSealChange(HsmCommand, frozen=True, tag=58):
    """Return the change that waits, made upon these sealed domains; changes nothing by itself."""

    sealed_domains: bytes
