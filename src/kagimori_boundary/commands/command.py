"""The properties of every command: the role that may send it, and its lane.

A command that declares nothing is a worker's, and fast.
"""

from enum import Enum, unique
from typing import ClassVar, Final

from msgspec import Struct

from kagimori_boundary.key_specs import SPECS


@unique
class Role(Enum):
    """The role of the peer of a connection.

    `WORKER` serves the API, `OPERATOR` is the supervisor or the command line, `FOLLOWER` reads the
    audit journal and signs digests of it, `CUSTODIAN` has shown the custodian key.
    """

    WORKER = "worker"
    OPERATOR = "operator"
    FOLLOWER = "follower"
    CUSTODIAN = "custodian"


@unique
class Lane(Enum):
    """The lane in which a command is performed.

    `FAST` is at once. The others are queues whose work is done on threads: uses of keys that take
    some milliseconds have one of their own, so that no making of an RSA key is before them.
    """

    FAST = "fast"
    BESIDE = "beside"
    SLOW = "slow"


# To look a member up in its class takes five times as long, and each request does.
FAST: Final = Lane.FAST

WORKER_ALONE: Final = frozenset({Role.WORKER})
OPERATOR_ALONE: Final = frozenset({Role.OPERATOR})
OPERATOR_AND_WORKER: Final = frozenset({Role.OPERATOR, Role.WORKER})
OPERATOR_AND_FOLLOWER: Final = frozenset({Role.OPERATOR, Role.FOLLOWER})
OPERATOR_AND_CUSTODIAN: Final = frozenset({Role.OPERATOR, Role.CUSTODIAN})
EVERY_ROLE: Final = frozenset(Role)


# Of algorithms whose private half takes from 0.2 to some milliseconds.
LONG_USES: Final = ("RSA", "ML_DSA")


class HsmCommand(Struct, frozen=True, array_like=True):
    """One command; a subclass adds its tag, its fields and what differs from these defaults.

    `is_carried`: holds a sealed token that a client carries, so that one which does not open is the
    client's mistake and not a fault of ours. `is_minting`: makes credentials, so that the HSM
    writes it into its journal before it answers.
    """

    roles: ClassVar[frozenset[Role]] = WORKER_ALONE
    is_slow: ClassVar[bool] = False
    is_carried: ClassVar[bool] = False
    is_minting: ClassVar[bool] = False

    @property
    def lane(self) -> Lane:
        return Lane.SLOW if self.is_slow else FAST

    @property
    def payer(self) -> str:
        """The account that a slow command is done for, by which the queue is shared out."""
        return getattr(self, "account_id", "")


def lane_of_making(key_spec: str) -> Lane:
    """Return where a key of this spec is made; a spec that does not exist is refused at once."""
    spec = SPECS.get(key_spec)
    return Lane.SLOW if spec is not None and spec.is_slow_to_make else Lane.FAST
