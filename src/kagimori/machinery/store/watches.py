"""Watches over loads: which of them a change has overtaken, so that only these are done again."""

from collections.abc import Sequence

from kagimori.ports import Key


class Watch:
    """A watch over one load: the cache key of what it reads, or (table,) with the page's name."""

    __slots__ = ("is_overtaken", "name", "page")

    def __init__(self, name: Sequence[str], page: Key | None = None) -> None:
        self.name: Key = tuple(name)
        self.page = page
        self.is_overtaken = False


class Watches:
    """The loads that are on their way, by what they read."""

    def __init__(self) -> None:
        self._watching: dict[Key, list[Watch]] = {}

    def begin(self, watch: Watch) -> None:
        """Watch a load from before it reads."""
        watch.is_overtaken = False
        self._watching.setdefault(watch.name, []).append(watch)

    def end(self, watch: Watch) -> bool:
        """Return whether a change has touched the load since it began; it is watched no more."""
        others = self._watching[watch.name]
        others.remove(watch)
        if not others:
            del self._watching[watch.name]
        return watch.is_overtaken

    def touch(self, name: Key) -> None:
        """Note a change of the thing with this cache key."""
        if not self._watching:
            return
        for watch in self._watching.get(name, ()):
            watch.is_overtaken = True

    def touch_all(self) -> None:
        """Note a change of everything."""
        for watches in self._watching.values():
            for watch in watches:
                watch.is_overtaken = True
