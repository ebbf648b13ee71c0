"""Sign-in: a password, or a token in its place, and the code of an MFA device make a session.

No answer says what was wrong, and a user who does not exist costs the same hash as one who does.
Whether a holder has devices, and whether the password must be changed, is the worker's word.

Source: IAM User Guide, "How IAM users sign in to AWS".
"""

import base64
import os
from collections.abc import Callable
from typing import Any, Final

import msgspec

from kagimori_boundary.commands import CreateSession, CreateSignInToken, SignIn
from kagimori_boundary.commands.identity import ROOT, ROOT_HOLDER, USER, AccessKeyProof
from kagimori_boundary.commands.passwords import BY_PASSWORD
from kagimori_boundary.replies import Bytes, Reply, SignedIn, TakenCode
from kagimori_hsm.commands.identity import IdentityCommands
from kagimori_hsm.commands.mfa import MfaCommands
from kagimori_hsm.commands.passwords import Passwords
from kagimori_hsm.minting import CLOCK_SECONDS, check_own, check_sign_in
from kagimori_hsm.refused import Reason, Refused
from kagimori_hsm.ring import Rings
from kagimori_hsm.sign_in_attempts import Attempt, Attempts
from kagimori_hsm.tokens import ExpiredToken, TokenRefused, binding_of
from kagimori_hsm.world import World

TOKEN_SECONDS_MAX: Final = 600
DEVICE_SECONDS_MAX: Final = 180 * 86_400
_ID_BYTES: Final = 16


class _Token(msgspec.Struct, array_like=True, frozen=True):
    """The sealed content of a sign-in token."""

    account_id: str
    principal_id: str
    asked_by: str
    expires_at: int


class _Device(msgspec.Struct, array_like=True, frozen=True):
    """The sealed content of what a device keeps that has signed in."""

    device_id: bytes
    expires_at: float


_decode_token = msgspec.msgpack.Decoder(_Token).decode
_decode_device = msgspec.msgpack.Decoder(_Device).decode
_encode = msgspec.msgpack.Encoder().encode


class SignInCommands:
    def __init__(
        self,
        rings: Rings,
        identity: IdentityCommands,
        mfa: MfaCommands,
        passwords: Passwords,
        world: World,
    ) -> None:
        self._rings = rings
        self._identity = identity
        self._mfa = mfa
        self._passwords = passwords
        self._world = world
        self._attempts = Attempts(world.monotonic)

    def functions(self) -> dict[type, Callable[[Any], Reply]]:
        return {SignIn: self._sign_in, CreateSignInToken: self._create_token}

    def _sign_in(self, command: SignIn) -> Reply:
        check_sign_in(command, None if self._world.dev else self._world.now())
        device = self._device(command)
        attempt = Attempt(*command.named, command.came_from, device.hex())
        if command.token:  # not to be guessed, and cheap to open
            asked_by = self._owner_of_token(command)
        else:
            asked_by = BY_PASSWORD
            self._attempts.begin(attempt)
            self._check_password(command)
        place, taken, sealed = 0, None, b""
        if command.codes:
            place, taken = self._take_code(command)
        elif command.wants_code and not command.token:
            self._attempts.was_right(attempt)
            raise Refused(Reason.MFA_REQUIRED)
        if not command.token:
            self._attempts.was_right(attempt)
        if command.is_change_due:
            if command.new_password is None:
                raise Refused(Reason.PASSWORD_CHANGE_REQUIRED)
            sealed = self._passwords.hashed_after(
                _principal(command),
                command.new_password,
                command.sealed_password,
                command.remembered,
            )
        made = self._identity.mint(
            CreateSession(
                command.access_key_id,
                ROOT if command.principal_id == ROOT_HOLDER else USER,
                command.account_id,
                command.principal_id,
                command.issued_at,
                command.expires_at,
                command.claims,
            ),
            asked_by,
        )
        known = self._known_device(command, device)
        return SignedIn(made.secret_access_key, made.session_token, taken, place, sealed, known)

    def _check_password(self, command: SignIn) -> None:
        right = self._passwords.is_right(
            _principal(command), command.password, command.sealed_password
        )
        if not right:
            raise Refused(Reason.SIGN_IN_FAILED)

    def _take_code(self, command: SignIn) -> tuple[int, TakenCode]:
        try:
            return self._mfa.take_one(command.codes)
        except Refused:
            raise Refused(Reason.SIGN_IN_FAILED) from None

    def _create_token(self, command: CreateSignInToken) -> Reply:
        now = self._world.now()
        asker = self._identity.asker(command.proof)
        if asker is not None:
            check_own(asker, command.account_id, command.principal_id)
        if not self._world.dev and (
            not isinstance(command.proof, AccessKeyProof)
            or command.expires_at - now > TOKEN_SECONDS_MAX + CLOCK_SECONDS
        ):
            raise Refused(Reason.FORBIDDEN)
        content = _Token(
            command.account_id,
            command.principal_id,
            asker.access_key_id if asker is not None else "",
            command.expires_at,
        )
        sealed = self._rings.identity().wrap(_encode(content), _TOKEN)
        return Bytes(base64.urlsafe_b64encode(sealed))

    def _owner_of_token(self, command: SignIn) -> str:
        """Return the access key that a sign-in token was asked for with.

        Raises:
            Refused: SIGN_IN_FAILED: it is not one, is over, or is somebody else's.
        """
        try:
            sealed = base64.b64decode(command.token, altchars=b"-_", validate=True)
            token = _decode_token(self._rings.identity().unwrap(sealed, _TOKEN))
        except (ValueError, TokenRefused, ExpiredToken):
            raise Refused(Reason.SIGN_IN_FAILED) from None
        whose = (token.account_id, token.principal_id)
        moment = self._world.moment(command.issued_at)
        if whose != _principal(command) or moment >= token.expires_at:
            raise Refused(Reason.SIGN_IN_FAILED)
        return token.asked_by

    def _device(self, command: SignIn) -> bytes:
        """Return the id of a device that has signed in before as whom it names; empty if none."""
        if not command.known_device or not command.principal_id:
            return b""
        try:
            content = self._rings.identity().unwrap(command.known_device, _device_binding(command))
        except (TokenRefused, ExpiredToken):
            return b""
        device = _decode_device(content)
        return device.device_id if self._world.now() < device.expires_at else b""

    def _known_device(self, command: SignIn, before: bytes) -> bytes:
        device = _Device(before or os.urandom(_ID_BYTES), self._world.now() + DEVICE_SECONDS_MAX)
        return self._rings.identity().wrap(_encode(device), _device_binding(command))


_TOKEN: Final = binding_of("sign-in token")


def _device_binding(command: SignIn) -> bytes:
    return binding_of("device that has signed in", *_principal(command))


def _principal(command: SignIn) -> tuple[str, str]:
    return command.account_id, command.principal_id
