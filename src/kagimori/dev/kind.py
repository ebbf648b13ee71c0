"""The parts of a worker of `kagimori dev`. NOT SAFE: never part of `serve`."""

from kagimori.dev.given_material import GivenMaterial
from kagimori.dev.movable_clock import ClockDoor, MovableClock
from kagimori.dev.other_sites import OtherSites
from kagimori.dev.unverified import UnverifiedDevCallers
from kagimori.http.front import Handler
from kagimori.server.kind import ServerKind, Turn
from kagimori.settings import Settings


class DevKind(ServerKind):
    """Any credentials are an account's root, the clock moves, and keys may be given."""

    who = UnverifiedDevCallers
    new_key_choices = GivenMaterial()
    unknown_principals = True

    def __init__(self) -> None:
        self._clock = self.clock = MovableClock()

    def door(self, doors: Handler, turn: Turn, settings: Settings) -> Handler:
        inner = ClockDoor(self._clock, doors, turn).handle
        listens_at = settings.serve.listen.rpartition(":")[0]
        return OtherSites(inner, (listens_at, *settings.dev.hosts)).handle
