"""The module: its state, and the function that performs each command.

Who may ask what is declared by the commands, when it is performed by `states.py`; here both meet.
"""

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from kagimori_boundary import commands
from kagimori_boundary.commands import Command, HsmCommand, Role
from kagimori_boundary.frames import PROTOCOL_VERSION
from kagimori_boundary.replies import (
    Bytes,
    DomainKeys,
    Failed,
    Failure,
    Greeting,
    HsmState,
    ModuleReport,
    Reply,
)
from kagimori_hsm.algorithms import rsa
from kagimori_hsm.algorithms.pairwise import PairInconsistent
from kagimori_hsm.commands.approvals import ApprovalCommands
from kagimori_hsm.commands.audit import AuditCommands
from kagimori_hsm.commands.backups import BackupCommands
from kagimori_hsm.commands.domains import DomainCommands, key_facts, sealed
from kagimori_hsm.commands.health import HealthCommands
from kagimori_hsm.commands.identity import IdentityCommands
from kagimori_hsm.commands.integrity import (
    IntegrityCommands,
    check_same_secret,
    with_integrity_secret,
)
from kagimori_hsm.commands.keep import KeepCommands
from kagimori_hsm.commands.key_stores import KeyStoreCommands
from kagimori_hsm.commands.mfa import MfaCommands
from kagimori_hsm.commands.passwords import Passwords
from kagimori_hsm.commands.seals import SealCommands
from kagimori_hsm.commands.sign_in import SignInCommands
from kagimori_hsm.commands.use import UseCommands
from kagimori_hsm.engines.software import BackingKeys
from kagimori_hsm.journal import Journal
from kagimori_hsm.refused import Reason, Refused
from kagimori_hsm.ring import Rings
from kagimori_hsm.roots.contents import Contents, SealRefused
from kagimori_hsm.roots.opener import Opener
from kagimori_hsm.roots.root_keys import RootKeys
from kagimori_hsm.roots.unattended import Unattended
from kagimori_hsm.roster import check_successor, roster_in
from kagimori_hsm.self_tests import battery
from kagimori_hsm.states import ALLOWED, COMMANDS_OF, FINAL, NEXT, check_step
from kagimori_hsm.tokens import ExpiredToken, TokenRefused
from kagimori_hsm.world import TRUE_WORLD, World

Function = Callable[[Any], Reply]

# For `dev` alone: elsewhere nobody may plant a key that they know.
_FOR_DEV: Final = frozenset({commands.StoreMaterial})


class Module:
    """All that the HSM process holds."""

    def __init__(
        self,
        seal_key: bytes,
        *,
        memory_locked: bool,
        world: World = TRUE_WORLD,
        journal: Journal | None = None,
        is_valid_rsa_pair: Callable[[bytes], bool] = rsa.is_valid_pair,
        self_tests: battery.Battery | None = None,
        further_seal_keys: Sequence[bytes] = (),
        opener: Opener | None = None,
    ) -> None:
        self._state = HsmState.POWER_ON
        file_keys = [key for key in (seal_key, *further_seal_keys) if key]
        self._roots = RootKeys(Unattended(file_keys, opener), world.now)
        self._changing_state = threading.Lock()
        self._reason = ""
        self._memory_locked = memory_locked
        self._world = world
        self._follower: int | None = None
        self.sandbox: tuple[str, ...] = ()
        self._rings = Rings()
        self._keys = BackingKeys(self._rings)
        self._audit = AuditCommands(self._rings)
        self._health = HealthCommands(
            self_tests or battery.check_all, world, report=self._report, fail=self._fail
        )
        self._seals = SealCommands(self._rings, self._roots, self._opened, world)
        mfa = MfaCommands(self._rings, world)
        identity = IdentityCommands(self._rings, mfa, journal or Journal(), world)
        passwords = Passwords(self._rings, identity.asker, world)
        functions: dict[type[HsmCommand], Function] = {
            commands.Hello: self._hello,
            commands.Unseal: self._unseal,
            commands.CreateDomains: self._create_domains,
            commands.AdoptDomains: self._adopt_domains,
            commands.AdmitFollower: self._admit_follower,
            commands.Zeroize: self._zeroize,
            commands.HashPassword: passwords.hash,
            **self._health.functions(),
            **self._audit.functions(),
            **UseCommands(self._keys).functions(),
            **KeepCommands(self._keys, self._rings, is_valid_rsa_pair, world).functions(),
            **identity.functions(),
            **IntegrityCommands(self._rings).functions(),
            **BackupCommands(self._rings, self._keys).functions(),
            **mfa.functions(),
            **SignInCommands(self._rings, identity, mfa, passwords, world).functions(),
            **KeyStoreCommands(self._rings, world).functions(),
            **self._seals.functions(),
            **DomainCommands(self._rings, self._keys, self._roots, world).functions(),
            **ApprovalCommands(self._rings, self._roots, identity.asker, world).functions(),
        }
        self._functions = functions if world.dev else _without(functions, _FOR_DEV)
        self._open: Mapping[Role, Mapping[type[HsmCommand], Function]] = {}
        self._open_for_state()

    @property
    def state(self) -> HsmState:
        return self._state

    def go_to(self, state: HsmState) -> None:
        """Enter a state.

        Raises:
            ForbiddenStep: the model has no such step.
        """
        with self._changing_state:  # slow work fails on a thread of its own
            check_step(self._state, state)
            self._state = state
            self._open_for_state()

    def self_test(self) -> None:
        """Run every self-test; go on to sealed, or to the error state for good."""
        self.go_to(HsmState.SELF_TEST)
        why = self._health.run()
        if why is None:
            self.go_to(HsmState.SEALED)
        else:
            self._fail(why)

    def drop_expired(self) -> None:
        """Drop opened keys that were kept long enough; called every few seconds."""
        self._keys.drop_expired()
        self._audit.clear()

    def role_of(self, process_id: int) -> Role:
        """Return whose a connection is that comes through the socket."""
        return Role.FOLLOWER if process_id == self._follower else Role.WORKER

    def perform(self, role: Role, command: Command) -> Reply:
        """Return the reply to a command; never raises."""
        opened = self._open
        function = opened[role].get(type(command))
        if function is None:
            return self._not_now(role, command)
        try:
            reply = function(command)
            # What was slow, and is done when the module has failed, does not leave it.
            is_late = self._open is not opened and self._is_too_late_for(command)
            return reply if not is_late else Failed(Failure.NOT_OPERATIONAL)
        except TokenRefused:
            return Failed(Failure.INVALID_TOKEN if command.is_carried else Failure.TOKEN_REFUSED)
        except Refused as refused:
            return Failed(Failure[refused.reason.name])
        except PairInconsistent as inconsistent:
            return self._fail(f"a new pair of {inconsistent} is not consistent")
        except ExpiredToken:
            return Failed(Failure.EXPIRED_TOKEN)
        except SealRefused:
            return Failed(Failure.SEAL_REFUSED)
        except Exception as failure:  # noqa: BLE001
            # INVARIANT(no-secret-in-sight): the kind of failure alone; its text could hold input.
            kind = f"{type(command).__name__}: {type(failure).__name__}"
            print(f"HSM command failed: {kind}", file=sys.stderr, flush=True)  # noqa: T201
            return Failed(Failure.INTERNAL)

    def _fail(self, why: str) -> Reply:
        """Enter the error state, and say why: a self-test has failed."""
        with self._changing_state:
            if HsmState.ERROR in NEXT[self._state]:  # else it has failed before, or has no key left
                self._state, self._reason = HsmState.ERROR, why
                self._open_for_state()
        print(f"HSM self-test failed: {why}", file=sys.stderr, flush=True)  # noqa: T201
        return Failed(Failure.NOT_OPERATIONAL)

    def _is_too_late_for(self, command: Command) -> bool:
        # AdoptDomains may be what led here: it answers no more than ids of keys that there are.
        answered = ALLOWED[self._state] | {commands.AdoptDomains}
        return self._state in FINAL and type(command) not in answered

    def _open_for_state(self) -> None:
        """Prepare the commands of each role in this state: one look for each command."""
        allowed = ALLOWED[self._state]
        self._open = {
            role: {kind: self._functions[kind] for kind in kinds & allowed & set(self._functions)}
            for role, kinds in COMMANDS_OF.items()
        }

    def _not_now(self, role: Role, command: Command) -> Reply:
        kind = type(command)
        if role not in kind.roles or kind not in self._functions:
            return Failed(Failure.MALFORMED)
        return Failed(Failure.NOT_OPERATIONAL)

    def _hello(self, _: commands.Hello) -> Reply:
        return Greeting(
            PROTOCOL_VERSION,
            self._state,
            sorted(self._rings.all()),
            self._memory_locked,
            self.sandbox,
            self._rings.operator_account_id,
            self._reason,
        )

    def _report(self, tested: ModuleReport) -> ModuleReport:
        return msgspec.structs.replace(
            tested,
            state=self._state,
            reason=self._reason,
            memory_locked=self._memory_locked,
            sandbox=self.sandbox,
        )

    def _unseal(self, command: commands.Unseal) -> Reply:
        """Open the domains, or keep them until somebody comes who can.

        Raises:
            SealRefused: nobody can.
        """
        try:
            contents = self._roots.unseal(command.sealed_domains)
        except SealRefused:
            if not self._roots.wait_for_people(command.sealed_domains):
                raise
        else:
            self._opened(contents)
        return self._hello(commands.Hello(PROTOCOL_VERSION))

    def _opened(self, contents: Contents) -> None:
        """Go on with contents that a root has opened."""
        self._rings.add(contents.rings)
        self._rings.operator_account_id = contents.operator_account_id
        self._rings.further = contents.further
        self.go_to(HsmState.OPERATIONAL)

    def _create_domains(self, command: commands.CreateDomains) -> Reply:
        known, named = self._rings.operator_account_id, command.operator_account_id
        if known and named not in ("", known):
            raise Refused(Reason.FORBIDDEN)
        self._rings.operator_account_id = known or named
        self._rings.create(command.names, self._world.now())
        self._rings.further = with_integrity_secret(self._rings.further)
        self._roots.create()
        self.go_to(HsmState.OPERATIONAL)
        rings = self._rings
        contents = Contents(
            operator_account_id=rings.operator_account_id,
            rings=rings.all(),
            further=rings.further,
        )
        return sealed(self._roots.sealed(contents), contents)

    def _adopt_domains(self, command: commands.AdoptDomains) -> Reply:
        """Put the contents of a blob in force, and forget what was opened with keys that are gone.

        If it holds a new order to forget every key, that is done now.

        Raises:
            SealRefused: it does not open.
            Refused: FORBIDDEN, it names other operators, or does not succeed what is in force.
        """
        head, contents = self._roots.opened(command.sealed_domains)
        check_same_secret(self._rings.further, contents.further)
        if contents.operator_account_id != self._rings.operator_account_id:
            raise Refused(Reason.FORBIDDEN)
        self._roots.check_succeeds(head)
        before, after = roster_in(self._rings.further), roster_in(contents.further)
        check_successor(before, after)
        gone = self._rings.succeed(contents.rings)
        self._roots.adopt(head, contents)
        self._seals.changes.adopted()
        self._rings.further = contents.further
        if after.zeroized > before.zeroized:
            self._zeroize(commands.Zeroize())
        elif gone:
            self._keys.drop_under(gone)
            self._audit.drop_under(gone)
        return DomainKeys(key_facts(self._rings.all()))

    def _admit_follower(self, command: commands.AdmitFollower) -> Reply:
        self._follower = command.process_id
        return Bytes(b"")

    def _zeroize(self, _: commands.Zeroize) -> Reply:
        """Drop every reference to a key; Python cannot overwrite what it referred to."""
        self.go_to(HsmState.ZEROIZED)
        self._roots.clear()
        self._seals.clear()
        self._rings.clear()
        self._keys.close()
        self._audit.clear()
        return Bytes(b"")


def _without(
    functions: Mapping[type[HsmCommand], Function], kinds: frozenset[type[HsmCommand]]
) -> dict[type[HsmCommand], Function]:
    return {kind: function for kind, function in functions.items() if kind not in kinds}
