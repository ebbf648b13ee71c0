"""The public keys of identity providers: from files, or fetched from their issuers.

Fetched sets are kept for an hour, and fetched anew (once a minute at most) when a token names a key
that they lack; that an issuer did not answer is kept for a minute. Each issuer is asked once at a
time, in a thread of its own, and has a few seconds for everything together: a slow one holds up
nobody but those who trust it.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from kagimori.machinery.key_set_fetch import Fetch
from kagimori.pending import Pending
from kagimori.ports import Absent
from kagimori.rules.identity.token_json import read_object

KEPT_SECONDS: Final = 3600.0
AGAIN_SECONDS: Final = 60.0
FETCH_SECONDS_MAX: Final = 5.0
ISSUERS_MAX: Final = 1000
# Beyond so many at once a token is refused without asking its issuer.
FETCHES_MAX: Final = 32

Keys = Sequence[Mapping[str, Any]]


class KeySets:
    """Key sets by issuer, named without `https://`. Made and used on the loop."""

    def __init__(
        self,
        given: Mapping[str, Keys],
        *,
        fetches: bool,
        fetch: Callable[[str], Fetch] = Fetch,
        seconds_max: float = FETCH_SECONDS_MAX,
    ) -> None:
        self._given = given
        self._fetches = fetches
        self._fetch = fetch
        self._seconds_max = seconds_max
        self._fetched: dict[str, tuple[float, Keys]] = {}
        self._waiting: dict[str, list[Pending[None]]] = {}
        self._threads = 0

    def keys_of(self, issuer: str, key_id: str | None) -> Keys:
        """Return the keys of an issuer; an empty list if they cannot be fetched.

        Raises:
            Absent: not fetched yet.
        """
        given = self._given.get(issuer)
        if given is not None or not self._fetches:
            return given or ()
        known = self._fetched.get(issuer)
        if known is not None and not self._is_stale(known, key_id):
            return known[1]
        if issuer not in self._waiting and self._threads >= FETCHES_MAX:
            return known[1] if known is not None else ()
        raise Absent(lambda: self._load(issuer))

    @staticmethod
    def _is_stale(known: tuple[float, Keys], key_id: str | None) -> bool:
        age = time.monotonic() - known[0]
        is_there = bool(known[1]) and (
            key_id is None or any(key.get("kid") == key_id for key in known[1])
        )
        return age > KEPT_SECONDS or (not is_there and age > AGAIN_SECONDS)

    def _load(self, issuer: str) -> Pending[None]:
        """Return a pending that is settled once the issuer has answered, or had its time."""
        done: Pending[None] = Pending()
        waiting = self._waiting.get(issuer)
        if waiting is not None:
            waiting.append(done)
            return done
        self._waiting[issuer] = [done]
        self._threads += 1
        loop = asyncio.get_running_loop()
        fetch = self._fetch(issuer)

        def run() -> None:
            keys = fetch.keys()
            try:
                loop.call_soon_threadsafe(ended, keys)
            except RuntimeError:  # the loop has closed: nobody waits any more
                return

        def ended(keys: Keys) -> None:
            self._threads -= 1
            timer.cancel()
            self._take(issuer, fetch, keys)

        def expired() -> None:
            fetch.give_up()
            self._take(issuer, fetch, ())

        timer = loop.call_later(self._seconds_max, expired)
        threading.Thread(target=run, name="key-set", daemon=True).start()
        return done

    def _take(self, issuer: str, fetch: Fetch, keys: Keys) -> None:
        """Keep the result of a fetch, if it is its first, and resume those who wait."""
        if fetch.is_heard:
            return
        fetch.is_heard = True
        if len(self._fetched) >= ISSUERS_MAX:
            self._fetched.clear()
        self._fetched[issuer] = (time.monotonic(), keys)
        for done in self._waiting.pop(issuer, ()):
            done.settle(None)


def read_key_set(issuer: str, file: Path) -> tuple[str, list[dict[str, Any]]]:
    """Return an issuer (without https://) and the keys in a file that holds a JSON Web Key Set.

    Raises:
        ValueError: it does not.
        OSError: it cannot be read.
    """
    keys = read_object(file.read_bytes()).get("keys")
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise ValueError("no JSON Web Key Set")
    return issuer.removeprefix("https://").rstrip("/"), keys
