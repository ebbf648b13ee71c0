"""One search through the store for tokens under retired domain keys, and their wrapping anew.

A search goes through every table that holds tokens, some rows at a time; what it finds is wrapped
anew at a bounded rate. It is done when a whole search has found nothing left. Nothing of it is
kept: after a restart the search begins again, and passes what is done already.
"""

import base64
from collections import deque
from collections.abc import Awaitable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from kagimori.entities.identity_tables import USERS
from kagimori.entities.stored_tokens import TOKEN_KINDS
from kagimori.entities.tables import TOKEN_TABLES
from kagimori.machinery.telemetry import Telemetry
from kagimori.ports import (
    Ask,
    Key,
    KeyHolder,
    Put,
    Store,
    StoreConflict,
    Table,
    View,
    resolved,
)
from kagimori.rules.identity.login_profile import LoginProfile
from kagimori.rules.keys.domains import Domains
from kagimori_boundary.commands import RewrapTokens, StoredToken
from kagimori_boundary.replies import Tokens
from kagimori_boundary.token_form import domain_key_id, token_mark

ROWS_AT_ONCE: Final = 1_000
ROWS_A_TURN: Final = 50_000
# Far below what a frame between service and HSM may hold, whatever kind of key they are of.
TOKENS_AT_ONCE: Final = 32
# While domain keys are retired, tokens of theirs may still come from requests that were slow.
SEARCH_SECONDS: Final = 3600.0
DONE, RUNNING, STUCK = "done", "running", "stuck"


class Keep(Protocol):
    """Commits changes with a record; raises `StoreConflict` if one was decided on old state."""

    def __call__(
        self, writes: Sequence[Put], name: str, details: dict[str, object]
    ) -> Awaitable[None]: ...


class _Found(NamedTuple):
    table: Table
    entity: Any


class Progress(NamedTuple):
    """The newest search: `refused` entities have a token that the HSM did not open."""

    state: str  # done, running or stuck
    rewrapped: int
    refused: int
    began_at: float

    @property
    def is_done(self) -> bool:
        return self.state == DONE


class Rewrapping:
    """Searches and wraps anew; `most` entities in a turn."""

    def __init__(
        self,
        *,
        view: View,
        store: Store,
        key_holder: KeyHolder,
        keep: Keep,
        telemetry: Telemetry,
        most: int,
    ) -> None:
        self._view, self._store, self._key_holder = view, store, key_holder
        self._keep, self._telemetry, self._most = keep, telemetry, most
        self._searched_for: object = None
        self._began_at = 0.0
        self._tables: deque[Table] = deque()
        self._after: Key | None = None
        self._found: deque[_Found] = deque()
        self._is_clean = True
        self._is_done = self._is_stuck = False
        self.rewrapped = 0
        self._refused = 0

    @property
    def progress(self) -> Progress:
        state = DONE if self._is_done else STUCK if self._is_stuck else RUNNING
        return Progress(state, self.rewrapped, self._refused, self._began_at)

    async def is_done(self, domains: Domains, now: float) -> bool:
        """Go on for a turn; return whether a whole search has found nothing that is left.

        It was begun after the newest change of these domains: what was closed then is empty.
        """
        wanted = (domains.stale, domains.current_ids, domains.rewrap_asked_at)
        is_old = not self._began_at <= now < self._began_at + SEARCH_SECONDS
        if wanted != self._searched_for or (is_old and (self._is_done or self._is_stuck)):
            self._searched_for = wanted
            self._begin(now)
        if not domains.stale:
            self._is_done = True
        left = self._most
        rows = ROWS_A_TURN
        while not (self._is_done or self._is_stuck) and rows > 0:
            if self._tables and len(self._found) < left:
                rows -= ROWS_AT_ONCE
                await self._search(domains)
            elif self._found:
                if left <= 0:
                    break
                chunk = [self._found.popleft() for _ in range(min(left, len(self._found)))]
                left -= len(chunk)
                if not await self._rewrap(chunk, domains):
                    self._begin(now)  # the HSM has not adopted the newest rings yet
                    break
            elif self._is_clean:
                self._is_done, self._is_stuck = self._refused == 0, self._refused > 0
            else:
                self._begin(now)
                break
        return self._is_done

    def _begin(self, now: float) -> None:
        self._began_at = now
        self._tables, self._after = deque(TOKEN_TABLES), None
        self._found.clear()
        self._is_clean, self._is_done, self._is_stuck, self._refused = True, False, False, 0

    async def _search(self, domains: Domains) -> None:
        """Look through the next rows of the table whose turn it is."""
        stale = [bytes.fromhex(key.key_id) for key in domains.stale]
        table = self._tables[0]
        # In the stored form a token stands in base64, right after a quotation mark.
        texts = [b'"' + base64.b64encode(token_mark(key_id)) for key_id in stale]
        found, self._after = await self._store.search(table, texts, self._after, ROWS_AT_ONCE)
        if self._after is None:
            self._tables.popleft()
        for entity in found:
            tokens = TOKEN_KINDS[table.entity].tokens(entity)
            if any(domain_key_id(token) in stale for token in tokens):
                self._found.append(_Found(table, entity))

    async def _rewrap(self, chunk: Sequence[_Found], domains: Domains) -> bool:
        """Wrap the tokens of some entities anew; return False if the HSM is not that far."""
        puts: list[Put] = []
        current = {bytes.fromhex(key_id) for key_id in domains.current_ids}
        for table, entity in chunk:
            tokens = await self._new_tokens(entity)
            if tokens is None:
                self._refused += 1
                continue
            self._is_clean = False
            if not {domain_key_id(token) for token in tokens} <= current:
                return False
            puts.append(Put(table, TOKEN_KINDS[table.entity].replaced(entity, tokens), entity))
        try:
            await self._commit(puts)
        except StoreConflict:  # one of them was changed meanwhile: each for itself
            for put in puts:
                try:
                    await self._commit([put])
                except StoreConflict:
                    continue  # the next search finds it again
        return True

    async def _commit(self, puts: Sequence[Put]) -> None:
        if puts:
            await self._keep(puts, "RewrapTokens", {"entities": len(puts)})
            self.rewrapped += len(puts)

    async def _new_tokens(self, entity: Any) -> list[bytes] | None:
        """Return the entity's tokens under the current domain keys; None if one does not open."""
        presented = await resolved(self._presented, entity)
        anew: list[bytes] = []
        for start in range(0, len(presented), TOKENS_AT_ONCE):
            command = RewrapTokens(list(presented[start : start + TOKENS_AT_ONCE]))
            reply = await self._key_holder.perform(Ask(None, command))
            if not isinstance(reply, Tokens):
                self._telemetry.trouble("domain keys", f"a token of {type(entity).__name__}")
                return None
            anew += reply.key_tokens
        return anew

    def _presented(self, entity: Any) -> Sequence[StoredToken]:
        def user_id(profile: LoginProfile) -> str:
            user = self._view.one(USERS, (profile.account_id, profile.member))
            return "" if user is None else str(user.unique_id)

        return TOKEN_KINDS[type(entity)].presented(entity, user_id)
