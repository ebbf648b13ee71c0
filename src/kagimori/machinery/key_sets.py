"""The public keys of identity providers: from files, or fetched from their issuers.

Fetched sets are kept for an hour, and fetched anew (once a minute at most) when a token names a key
that they lack. Only HTTPS, small answers, and few seconds: an issuer must not hold anything up.
"""

import json
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError

from kagimori.machinery.store.thread import WorkerThread
from kagimori.pending import Pending
from kagimori.ports import Absent

KEPT_SECONDS: Final = 3600.0
AGAIN_SECONDS: Final = 60.0
FETCH_SECONDS_MAX: Final = 5.0
ANSWER_BYTES_MAX: Final = 256 * 1024
ISSUERS_MAX: Final = 100

Keys = Sequence[Mapping[str, Any]]


class KeySets:
    """Key sets by issuer, named without `https://`. Made and used on the loop."""

    def __init__(self, given: Mapping[str, Keys], *, fetches: bool) -> None:
        self._given = given
        self._fetches = fetches
        self._fetched: dict[str, tuple[float, Keys]] = {}
        self._thread: WorkerThread | None = None

    def keys_of(self, issuer: str, key_id: str | None) -> Keys:
        """Return the keys of an issuer; none if they are not to be had.

        Raises:
            Absent: not fetched yet.
        """
        given = self._given.get(issuer)
        if given is not None or not self._fetches:
            return given or ()
        known = self._fetched.get(issuer)
        if known is None or self._is_stale(known, key_id):
            raise Absent(lambda: self._load(issuer))
        return known[1]

    def close(self) -> None:
        if self._thread is not None:
            self._thread.close()

    @staticmethod
    def _is_stale(known: tuple[float, Keys], key_id: str | None) -> bool:
        age = time.monotonic() - known[0]
        is_there = key_id is None or any(key.get("kid") == key_id for key in known[1])
        return age > KEPT_SECONDS or (not is_there and age > AGAIN_SECONDS)

    def _load(self, issuer: str) -> Pending[None]:
        if self._thread is None:
            self._thread = WorkerThread("key-sets")
        done: Pending[None] = Pending()
        job = self._thread.call(lambda: fetch(issuer))

        def take() -> None:
            if len(self._fetched) >= ISSUERS_MAX:
                self._fetched.clear()
            self._fetched[issuer] = (time.monotonic(), job.result())
            done.settle(None)

        job.then(take)
        return done


def read_key_set(issuer: str, file: Path) -> tuple[str, list[dict[str, Any]]]:
    """Return an issuer (without https://) and the keys in a file that holds a JSON Web Key Set.

    Raises:
        ValueError: it does not.
        OSError: it cannot be read.
    """
    found = json.loads(file.read_text(encoding="utf-8"))
    keys = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise ValueError("no JSON Web Key Set")
    return issuer.removeprefix("https://").rstrip("/"), keys


def fetch(issuer: str) -> Keys:
    """Return an issuer's keys; none if it does not answer as RFC 8414 and RFC 7517 say."""
    try:
        found = _get(f"https://{issuer}/.well-known/openid-configuration")["jwks_uri"]
        keys = _get(found)["keys"] if found.startswith("https://") else ()
    except (OSError, URLError, ValueError, KeyError, TypeError, AttributeError):
        return ()
    return [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else ()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:  # what is fetched is what was registered
        return None


def _get(url: str) -> Any:
    opener = urllib.request.build_opener(_NoRedirect)
    with opener.open(url, timeout=FETCH_SECONDS_MAX) as answer:
        return json.loads(answer.read(ANSWER_BYTES_MAX))
