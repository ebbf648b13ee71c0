"""The table of key specs, which stands at the boundary since both sides read it, by name."""

from kagimori_boundary.key_specs import (
    ED25519PH_DIGEST_BYTES,
    EXTERNAL_MU_BYTES,
    HMAC_MATERIAL_BYTES_MAX,
    SPECS,
    Family,
    KeySpec,
    KeyUsage,
    MessageType,
)
from kagimori_hsm.refused import Reason, Refused

__all__ = [
    "ED25519PH_DIGEST_BYTES",
    "EXTERNAL_MU_BYTES",
    "HMAC_MATERIAL_BYTES_MAX",
    "SPECS",
    "Family",
    "KeySpec",
    "KeyUsage",
    "MessageType",
    "algorithms_of",
    "spec_named",
]


def spec_named(name: str) -> KeySpec:
    """Return the spec of this name.

    Raises:
        Refused: UNSUPPORTED, for a name that is not in the table.
    """
    try:
        return SPECS[name]
    except KeyError:
        raise Refused(Reason.UNSUPPORTED) from None


def algorithms_of(name: str, usage: str) -> tuple[str, ...]:
    """Return the algorithms that a key of this spec and usage works with.

    Raises:
        Refused: UNSUPPORTED, for a name that is not in the table; FORBIDDEN, for a usage that keys
            of this spec cannot have.
    """
    algorithms = {str(one): names for one, names in spec_named(name).algorithms.items()}
    if usage not in algorithms:
        raise Refused(Reason.FORBIDDEN)
    return algorithms[usage]
