"""Virtual MFA devices: their seeds, and whether a code is right.

A code is taken once: whoever asks says which was the newest taken, and keeps the answer. Guessing
is slowed down here, where all workers' questions meet. What was guessed before this process
started is not known, so a device that is not known counts as one that was guessed at.
"""

import base64
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from kagimori_boundary.commands import CreateMfaSeed, OneCode, TakeCodes
from kagimori_boundary.replies import NewSeed, Reply, TakenCode
from kagimori_hsm.algorithms.totp import is_code, step_at
from kagimori_hsm.refused import Reason, Refused
from kagimori_hsm.ring import Rings
from kagimori_hsm.tokens import binding_of
from kagimori_hsm.world import World

_SEED_BYTES: Final = 40  # 64 characters of base32, as AWS's are
# How far off a device's clock may be: with one code, and when two codes are given to find out.
_NEAR: Final = range(-1, 2)
_FAR: Final = sorted(range(-120, 121), key=abs)
# So many wrong codes in a row are answered; from then on one in each step.
_WRONG_MAX: Final = 5
_DEVICES_MAX: Final = 10_000
_UNKNOWN: Final = (_WRONG_MAX, 0)


class MfaCommands:
    def __init__(self, rings: Rings, world: World) -> None:
        self._rings = rings
        self._world = world
        # Wrong codes in a row, and the step of the last one, by serial number: of devices that were
        # made, or whose codes came, since this process started.
        self._wrong: dict[str, tuple[int, int]] = {}
        self._taking = threading.Lock()  # sign-ins are on threads of their own

    def functions(self) -> dict[type, Callable[[Any], Reply]]:
        return {CreateMfaSeed: self._create_seed, TakeCodes: self._take_two}

    def take(self, code: OneCode) -> TakenCode:
        """Return the step of a code that is right and was not taken yet.

        Raises:
            Refused: it is not, or too many were not.
        """
        return self.take_one((code,))[1]

    def take_one(self, codes: Sequence[OneCode]) -> tuple[int, TakenCode]:
        """Return the place of the first device whose code is right, and its step.

        A code that fits one device of a holder is no wrong one of the others.

        Raises:
            Refused: there is none, or too many were wrong.
        """
        with self._taking:
            for place, code in enumerate(codes):
                taken = self._fitting(code)
                if taken is not None:
                    self._note(code.serial_number, 0, self._step_of(code))
                    return place, taken
            for code in codes:
                if not self._is_slowed_down(code.serial_number, self._step_of(code)):
                    self._note_wrong(code.serial_number, self._step_of(code))
        raise Refused(Reason.INVALID_CODE)

    def _step_of(self, code: OneCode) -> int:
        return step_at(self._world.moment(code.now))

    def _fitting(self, code: OneCode) -> TakenCode | None:
        """Return the step of a code that is right; None if it is not, or is not listened to now."""
        seed = self._seed(code.serial_number, code.sealed_seed)
        step = self._step_of(code)
        if self._is_slowed_down(code.serial_number, step):
            return None
        for offset in _NEAR:
            candidate = step + code.drift + offset
            if candidate > code.after and is_code(seed, candidate, code.code):
                return TakenCode(candidate, code.drift + offset)
        return None

    def _create_seed(self, command: CreateMfaSeed) -> Reply:
        seed = os.urandom(_SEED_BYTES)
        sealed = self._rings.identity().wrap(seed, seed_binding(command.serial_number))
        with self._taking:
            self._note(command.serial_number, 0, 0)
        return NewSeed(base64.b32encode(seed).decode(), sealed)

    def _take_two(self, command: TakeCodes) -> Reply:
        with self._taking:
            return self._two_taken(command)

    def _two_taken(self, command: TakeCodes) -> TakenCode:
        seed = self._seed(command.serial_number, command.sealed_seed)
        now = step_at(self._world.moment(command.now))
        if self._is_slowed_down(command.serial_number, now):
            raise Refused(Reason.INVALID_CODES)
        for offset in _FAR:
            step = now + offset
            if (
                step > command.after
                and is_code(seed, step, command.first)
                and is_code(seed, step + 1, command.second)
            ):
                self._note(command.serial_number, 0, now)
                return TakenCode(step + 1, offset + 1)
        self._note_wrong(command.serial_number, now)
        raise Refused(Reason.INVALID_CODES)

    def _seed(self, serial_number: str, sealed_seed: bytes) -> bytes:
        return self._rings.identity().unwrap(sealed_seed, seed_binding(serial_number))

    def _is_slowed_down(self, serial_number: str, step: int) -> bool:
        wrong, last = self._wrong.get(serial_number, _UNKNOWN)
        return wrong >= _WRONG_MAX and step == last

    def _note_wrong(self, serial_number: str, step: int) -> None:
        wrong, _ = self._wrong.get(serial_number, _UNKNOWN)
        self._note(serial_number, wrong + 1, step)

    def _note(self, serial_number: str, wrong: int, step: int) -> None:
        """Note how many codes in a row were wrong; one that is forgotten for it is unknown then."""
        self._wrong.pop(serial_number, None)
        if len(self._wrong) >= _DEVICES_MAX:
            del self._wrong[next(iter(self._wrong))]
        self._wrong[serial_number] = (wrong, step)


def seed_binding(serial_number: str) -> bytes:
    """Return the binding of a virtual MFA device's sealed seed."""
    return binding_of("mfa seed", serial_number)
