"""The parts of a worker of `kagimori dev`. NOT SAFE: never part of `serve`."""

from kagimori.dev.given_material import GivenMaterial
from kagimori.dev.movable_clock import ClockDoor, MovableClock
from kagimori.dev.unverified import UnverifiedDevCallers
from kagimori.http.front import Handler
from kagimori.server.kind import ServerKind, Turn


class DevKind(ServerKind):
    """Any credentials are an account's root, the clock moves, keys may be given."""

    who = UnverifiedDevCallers
    new_key_choices = GivenMaterial()
    unknown_principals = True
    pages = False  # where no signature is asked for, any page could act as anybody

    def __init__(self) -> None:
        self._clock = self.clock = MovableClock()

    def door(self, doors: Handler, turn: Turn) -> Handler:
        return ClockDoor(self._clock, doors, turn).handle
