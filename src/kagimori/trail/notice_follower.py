"""The follower that notifies a receiver of events: a webhook, or a command."""

from collections.abc import Callable

from kagimori.trail.notices import Keys, Notifier
from kagimori.trail.source import Source


class NoticeFollower:
    """Notifies one receiver; the keys and the notifier are opened when they are first needed."""

    def __init__(
        self,
        name: str,
        source: Source,
        *,
        keys: Callable[[], Keys],
        notifier: Callable[[Keys], Notifier],
    ) -> None:
        self.name = name
        self._source, self._open_keys, self._new_notifier = source, keys, notifier
        self._keys: Keys | None = None
        self._notifier: Notifier | None = None

    def turn(self, *, stopping: bool) -> float:
        if self._keys is None:
            self._keys = self._open_keys()
        if self._notifier is None:
            self._notifier = self._new_notifier(self._keys)
        pause = self._notifier.turn(self._source.ends())
        if stopping:
            self._notifier.note()
        return pause

    def standing(self) -> str | None:
        return None if self._notifier is None else self._notifier.standing()

    def close(self) -> None:
        if self._keys is not None:
            self._keys.close()
            self._keys = None
