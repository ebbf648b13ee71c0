"""The finite state model of the module: which commands are performed in which state.

Power-on, then self-test, then sealed, then operational. A self-test that fails, at the start, on
demand or of a new key pair, is the error state; no key is used from then on. Both the error state
and the zeroized one are left by ending the process alone.

Source: NIST FIPS 140-3 (ISO/IEC 19790), 7.11.4, finite state model.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from kagimori_boundary import commands
from kagimori_boundary.commands import HsmCommand, Role
from kagimori_boundary.replies import HsmState

_ALWAYS: Final[frozenset[type[HsmCommand]]] = frozenset({commands.Hello, commands.DescribeModule})
# Custodians are heard, and shown how far an unsealing is, before anything is open.
_FOR_CUSTODIANS: Final[frozenset[type[HsmCommand]]] = frozenset(
    {
        commands.AdmitCustodians,
        commands.BecomeCustodian,
        commands.DescribeSeals,
        commands.OpenSeal,
        commands.TakeSealEvents,
    }
)
_TO_OPEN: Final[frozenset[type[HsmCommand]]] = frozenset(
    {
        commands.Unseal,
        commands.MakeFirstSeal,
        commands.CreateDomains,
        commands.RunSelfTests,
        commands.Zeroize,
    }
)
_EVERY: Final[frozenset[type[HsmCommand]]] = frozenset(commands.Command.__args__)

# What is performed in each state. Whatever is not named here is answered NOT_OPERATIONAL.
ALLOWED: Final[Mapping[HsmState, frozenset[type[HsmCommand]]]] = MappingProxyType(
    {
        HsmState.POWER_ON: frozenset(),
        HsmState.SELF_TEST: _ALWAYS,
        HsmState.SEALED: _ALWAYS | _FOR_CUSTODIANS | _TO_OPEN,
        HsmState.OPERATIONAL: _EVERY - {commands.Unseal, commands.MakeFirstSeal},
        HsmState.ERROR: _ALWAYS | {commands.Zeroize},
        HsmState.ZEROIZED: _ALWAYS | {commands.Zeroize},
    }
)

# Where each state may go, and by what. A command that would go elsewhere is a fault of ours.
NEXT: Final[Mapping[HsmState, Mapping[HsmState, str]]] = MappingProxyType(
    {
        HsmState.POWER_ON: {HsmState.SELF_TEST: "the process starts"},
        HsmState.SELF_TEST: {
            HsmState.SEALED: "every self-test passes",
            HsmState.ERROR: "a self-test fails",
        },
        HsmState.SEALED: {
            HsmState.OPERATIONAL: "Unseal, OpenSeal, CreateDomains",
            HsmState.ERROR: "a self-test on demand fails, or a new key pair is not consistent",
            HsmState.ZEROIZED: "Zeroize",
        },
        HsmState.OPERATIONAL: {
            HsmState.ERROR: "a self-test on demand fails, or a new key pair is not consistent",
            HsmState.ZEROIZED: "Zeroize, or AdoptDomains with an order that operators approved",
        },
        HsmState.ERROR: {HsmState.ZEROIZED: "Zeroize"},
        HsmState.ZEROIZED: {},
    }
)

# No key is used in these any more, nor does anything leave that was computed with one.
FINAL: Final = frozenset({HsmState.ERROR, HsmState.ZEROIZED})

# By role, so that one look says both: whether it is somebody's command, and whether it is now.
COMMANDS_OF: Final[Mapping[Role, frozenset[type[HsmCommand]]]] = MappingProxyType(
    {role: frozenset(kind for kind in _EVERY if role in kind.roles) for role in Role}
)


class ForbiddenStep(Exception):
    """A step from one state to another that the model does not have."""


def check_step(before: HsmState, after: HsmState) -> None:
    """Check that the module may go from one state to the other.

    Raises:
        ForbiddenStep: it may not.
    """
    if after is not before and after not in NEXT[before]:
        raise ForbiddenStep(f"{before.name} to {after.name}")
