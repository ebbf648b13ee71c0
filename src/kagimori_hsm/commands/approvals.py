"""Performs requests that several people approved: on operators, domain keys, the module itself.

Each function takes the domains as they are kept and answers their successor, in which the request
is over. Nothing is in force before it is kept and adopted, so that a crash leaves the one or the
other.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from kagimori_boundary import commands
from kagimori_boundary.commands.approvals import (
    ADD_OPERATORS,
    APPROVE,
    CHANGE_QUORUM,
    DESTROY_DOMAIN_KEYS,
    DOMAIN_KEY_IDS,
    OPERATOR_NAMES,
    OPERATOR_PREFIX,
    QUORUM,
    REFUSE,
    REMOVE_OPERATORS,
    REMOVE_SEAL,
    REPLACE_KEY_POLICY,
    SEAL_ID,
    ZEROIZE_HSM,
)
from kagimori_boundary.commands.identity import Proof
from kagimori_boundary.replies import Bytes, OpenedApproval, Reply
from kagimori_boundary.seals import Head
from kagimori_hsm import approvals
from kagimori_hsm.commands.domains import sealed
from kagimori_hsm.minting import Asker, check_operator
from kagimori_hsm.refused import Reason, Refused
from kagimori_hsm.ring import Rings
from kagimori_hsm.roots.contents import Contents
from kagimori_hsm.roots.removal import without_seal
from kagimori_hsm.roots.root_keys import Opened, RootKeys
from kagimori_hsm.roots.seals import RootKey
from kagimori_hsm.roster import Roster, check_successor, further_with, roster_in
from kagimori_hsm.world import World

_QUORUM: Final = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
_HEX: Final = re.compile(r"(?:[0-9a-f]{2}){0,64}", re.ASCII)
Parameters = Mapping[str, str]


class Kept(NamedTuple):
    """Sealed domains as the service keeps them, opened."""

    head: Head
    contents: Contents
    roster: Roster


Action = Callable[[Kept, Parameters], Kept]


class ApprovalCommands:
    """One function for each command about approvals."""

    def __init__(
        self,
        rings: Rings,
        roots: RootKeys,
        asker: Callable[[Proof | None], Asker | None],
        world: World,
    ) -> None:
        self._rings, self._roots = rings, roots
        self._asker, self._world = asker, world
        # Without operators the administrator may do these alone; nobody may replace a key policy.
        self._alone: Final[Mapping[str, Action]] = {
            ADD_OPERATORS: _add_operators,
            DESTROY_DOMAIN_KEYS: _destroy_domain_keys,
            ZEROIZE_HSM: _zeroize,
        }
        self._approved: Final[Mapping[str, Action]] = {
            **self._alone,
            REMOVE_OPERATORS: _remove_operators,
            CHANGE_QUORUM: _change_quorum,
            REMOVE_SEAL: self._remove_seal,
            REPLACE_KEY_POLICY: _as_it_is,  # the service's work
        }

    def functions(self) -> dict[type, Callable[[Any], Reply]]:
        return {
            commands.OpenApproval: self._open,
            commands.CheckApproval: self._check,
            commands.RefuseApproval: self._refuse,
            commands.ExecuteApproval: self._execute,
            commands.PerformAlone: self._perform_alone,
        }

    def _open(self, command: commands.OpenApproval) -> Reply:
        kept = self._kept(command.sealed_domains)
        if command.action not in self._approved:
            raise Refused(Reason.UNSUPPORTED)
        now = self._world.moment(command.now)
        request = approvals.opened(kept.roster, command, now, self._world.refusal_seconds)
        return OpenedApproval(
            request.request_id,
            request.deployment_id,
            request.made_at,
            request.not_before,
            request.expires_at,
            approvals.mac_of(kept.roster, request),
        )

    def _check(self, command: commands.CheckApproval) -> Reply:
        kept = self._kept(command.sealed_domains)
        now = self._world.moment(command.now)
        approvals.check_alive(kept.roster, command.request, command.mac, now)
        approvals.check_signature(kept.roster, command.request, APPROVE, command.signature)
        return Bytes(b"")

    def _refuse(self, command: commands.RefuseApproval) -> Reply:
        kept, request = self._kept(command.sealed_domains), command.request
        now = self._world.moment(command.now)
        approvals.check_alive(kept.roster, request, command.mac, now)
        approvals.check_signature(kept.roster, request, REFUSE, command.signature)
        ended = kept.roster.with_ended(request.request_id, request.expires_at, now)
        return self._sealed(kept._replace(roster=ended))

    def _execute(self, command: commands.ExecuteApproval) -> Reply:
        kept, request = self._kept(command.sealed_domains), command.request
        now = self._world.moment(command.now)
        approvals.check_alive(kept.roster, request, command.mac, now)
        approvals.check_quorum(kept.roster, request, command.signatures, now)
        perform = self._approved.get(request.action)
        if perform is None:
            raise Refused(Reason.UNSUPPORTED)
        done = perform(kept, request.parameters)
        ended = done.roster.with_ended(request.request_id, request.expires_at, now)
        return self._sealed(done._replace(roster=ended))

    def _perform_alone(self, command: commands.PerformAlone) -> Reply:
        asker = self._asker(command.proof)
        if asker is not None:
            check_operator(asker, self._rings.operator_account_id)
        elif not self._world.dev:
            raise Refused(Reason.FORBIDDEN)
        kept = self._kept(command.sealed_domains)
        perform = self._alone.get(command.action)
        if perform is None or kept.roster.operators:
            raise Refused(Reason.NOT_APPROVED)
        return self._sealed(perform(kept, command.parameters))

    def _kept(self, sealed_domains: bytes) -> Kept:
        """Return the domains as they are kept; an older roster than the one in force is refused.

        Raises:
            SealRefused: they do not open.
            Refused: FORBIDDEN.
        """
        head, contents = self._roots.opened(sealed_domains)
        if contents.operator_account_id != self._rings.operator_account_id:
            raise Refused(Reason.FORBIDDEN)
        self._roots.check_succeeds(head)
        roster = roster_in(contents.further)
        check_successor(roster_in(self._rings.further), roster)
        return Kept(head, contents, roster)

    def _remove_seal(self, kept: Kept, parameters: Parameters) -> Kept:
        """Return the successor without a seal, under a new root key and with new domain keys.

        Raises:
            Refused: FORBIDDEN, there is no such seal, or it is the last one.
        """
        opened = Opened(kept.head, kept.contents)
        seal_id, now = parameters.get(SEAL_ID, ""), self._world.now()
        head, contents = without_seal(self._roots, opened, seal_id, RootKey.draw(), now)
        return kept._replace(head=head, contents=contents)

    def _sealed(self, kept: Kept) -> Reply:
        contents = replace(kept.contents, further=further_with(kept.contents.further, kept.roster))
        return sealed(self._roots.sealed(contents, kept.head), contents)


def _destroy_domain_keys(kept: Kept, parameters: Parameters) -> Kept:
    """Return the successor in which these domain keys need not rest.

    The keeper of domain keys destroys them once a search has found nothing under them.

    Raises:
        Refused: FORBIDDEN, one is current, or does not exist.
    """
    unwanted = frozenset(map(_bytes, _list(parameters, DOMAIN_KEY_IDS)))
    rings = kept.contents.rings.values()
    if not unwanted or not unwanted <= {key_id for ring in rings for key_id in ring.lives}:
        raise Refused(Reason.FORBIDDEN)
    for ring in rings:
        ring.check_retired(unwanted & ring.lives.keys())
    return kept._replace(roster=kept.roster.with_doomed(sorted(unwanted)))


def _add_operators(kept: Kept, parameters: Parameters) -> Kept:
    added = {
        name.removeprefix(OPERATOR_PREFIX): _bytes(value)
        for name, value in parameters.items()
        if name.startswith(OPERATOR_PREFIX)
    }
    return kept._replace(roster=kept.roster.with_operators(added, _quorum(parameters)))


def _remove_operators(kept: Kept, parameters: Parameters) -> Kept:
    names = _list(parameters, OPERATOR_NAMES)
    return kept._replace(roster=kept.roster.without_operators(names, _quorum(parameters)))


def _change_quorum(kept: Kept, parameters: Parameters) -> Kept:
    return kept._replace(roster=kept.roster.with_quorum(_quorum(parameters)))


def _zeroize(kept: Kept, _: Parameters) -> Kept:
    return kept._replace(roster=kept.roster.with_zeroized())


def _as_it_is(kept: Kept, _: Parameters) -> Kept:
    return kept


def _list(parameters: Parameters, name: str) -> list[str]:
    return [one for one in parameters.get(name, "").split(",") if one]


def _quorum(parameters: Parameters) -> int:
    text = parameters.get(QUORUM, "")
    if not _QUORUM.fullmatch(text):
        raise Refused(Reason.FORBIDDEN)
    return int(text)


def _bytes(text: str) -> bytes:
    if not _HEX.fullmatch(text):
        raise Refused(Reason.FORBIDDEN)
    return bytes.fromhex(text)
