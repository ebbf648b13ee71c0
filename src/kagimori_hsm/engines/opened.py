"""Opened backing keys: bounded in number, in the memory that they take, and in time.

They lie in the order in which they were opened, and the longest opened goes first, whoever uses it
still: it is opened again from its token in some microseconds. Looking one up is a dictionary's
`get`, without a lock; changes are made under one, since slow work opens keys on threads.
"""

import threading
import time
from collections.abc import Callable, Collection
from typing import Final, Generic, Protocol, TypeVar

from kagimori_hsm.algorithms.specs import Family, KeySpec, spec_named

KEYS_OPENED_MAX: Final = 20_000
KEYS_OPENED_KIB_MAX: Final = 96 * 1024
KEYS_OPENED_SECONDS_MAX: Final = 300.0

# KiB that an opened key takes once it was used, with its token: measured (bench/opened_keys.py),
# for the largest spec of the family.
_KIB_OF: Final = {
    Family.SYMMETRIC: 2,
    Family.MAC: 1,
    Family.EDWARDS: 2,
    Family.ELLIPTIC: 4,
    Family.RSA: 19,
    Family.ML_KEM: 14,
    Family.ML_DSA: 42,
}


class Openable(Protocol):
    """An opened key; `opened_at` is set when it is kept."""

    key_spec: str
    material_id: bytes
    opened_at: float


K = TypeVar("K", bound=Openable)


class OpenedKeys(Generic[K]):
    """Opened keys by the exact bytes of their bound tokens."""

    def __init__(
        self,
        *,
        count_max: int = KEYS_OPENED_MAX,
        kib_max: int = KEYS_OPENED_KIB_MAX,
        seconds_max: float = KEYS_OPENED_SECONDS_MAX,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys: dict[bytes, K] = {}
        self._count_max, self._kib_max, self._seconds_max = count_max, kib_max, seconds_max
        self._monotonic = monotonic
        self._changing = threading.Lock()
        self._kib = 0
        self._is_closed = False
        self.get = self._keys.get

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def kib(self) -> int:
        """The memory that they take, as it is counted."""
        return self._kib

    def keep(self, bound_token: bytes, key: K) -> None:
        """Keep a key that was just opened; drop the longest opened until there is room."""
        key.opened_at = self._monotonic()
        kib = kib_of(spec_named(key.key_spec))
        with self._changing:
            if self._is_closed:
                return
            self._drop(bound_token)
            while self._keys and (
                len(self._keys) >= self._count_max or self._kib + kib > self._kib_max
            ):
                self._drop(next(iter(self._keys)))
            self._keys[bound_token] = key
            self._kib += kib

    def drop_expired(self) -> None:
        """Drop those that were opened too long ago."""
        before = self._monotonic() - self._seconds_max
        with self._changing:
            while self._keys:
                bound_token, key = next(iter(self._keys.items()))
                if key.opened_at > before:
                    return
                self._drop(bound_token)

    def drop_of(self, material_ids: Collection[bytes]) -> None:
        """Drop those of these materials."""
        with self._changing:
            for bound_token, key in list(self._keys.items()):
                if key.material_id in material_ids:
                    self._drop(bound_token)

    def drop_where(self, is_gone: Callable[[bytes], bool]) -> None:
        """Drop those of whose bound tokens this is true."""
        with self._changing:
            for bound_token in list(self._keys):
                if is_gone(bound_token):
                    self._drop(bound_token)

    def close(self) -> None:
        """Drop all, and keep none from now on."""
        with self._changing:
            self._is_closed = True
            self._keys.clear()
            self._kib = 0

    def _drop(self, bound_token: bytes) -> None:
        key = self._keys.pop(bound_token, None)
        if key is not None:
            self._kib -= kib_of(spec_named(key.key_spec))


def kib_of(spec: KeySpec) -> int:
    """Return the memory (KiB) that an opened key of this spec is counted with."""
    return _KIB_OF[spec.family]
