"""Protocols of the outside world that the path and the operations use.

Implementations live in `machinery`; one contract suite for each port holds them to it.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

from msgspec import Struct

from kagimori.pending import Pending
from kagimori.rules.authorization.replay import Replayed
from kagimori.rules.chain.audit_status import AuditStatus
from kagimori.rules.chain.unused import Proof
from kagimori.rules.integrity.altered import Altered
from kagimori.rules.key_stores.asks import StoreAsk
from kagimori.rules.key_stores.causes import Cause
from kagimori.rules.key_stores.key_store import CustomKeyStore
from kagimori.rules.metering.twin import TwinFound, TwinQuery
from kagimori.rules.metering.usage import UsagePage, UsageQuery
from kagimori.rules.records.event_search import EventPage, EventSearch, Places
from kagimori.rules.records.lookup import EventQuery, FoundEvent
from kagimori_boundary.commands import Command
from kagimori_boundary.replies import Reply

L = TypeVar("L")
P = ParamSpec("P")
Key = tuple[str, ...]


def values_of(fields: Sequence[str]) -> Callable[[Any], Key]:
    """Return a function that returns the values of some fields of an entity."""
    get: Callable[[Any], Any] = attrgetter(*fields)
    return get if len(fields) > 1 else lambda entity: (get(entity),)


class Table(Struct, frozen=True, dict=True):
    """A noun as it is stored: its entity type, the fields that are its key, and its groups.

    A group is a further way of finding entities: by the values of some fields (the aliases of a
    KMS key, say). Every entity has a `version: int` that grows by one with each change.
    """

    name: str
    entity: type[Any]
    key: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]] = {}
    # Whether entities have a `due_at`, by which the timer finds them.
    has_due: bool = False
    # Finds the tokens in an entity that are under a domain key, where it has any.
    tokens: Callable[[Any], Sequence[bytes]] | None = None
    # The groups whose sizes are kept, since they may be large and must not grow beyond a limit.
    counted: tuple[str, ...] = ()
    # Whether its entities are noted without a record (`Store.note`): nobody hears of their changes.
    is_noted: bool = False
    # Whether its entities say who callers are, what they may and how much.
    makes_callers: bool = True
    # Rows are guarded: the HSM's key authenticates each, and which there are. Tables that only
    # report are not, and neither is which rows a group has that decides nothing; here is why.
    unguarded: str = ""
    unguarded_groups: Mapping[str, str] = {}

    # Of a table's declaration, and computed once: they stand on the way of every change.
    @cached_property
    def guarded_groups(self) -> Sequence[str]:
        """The groups of which it is noticed that a row is missing."""
        return [group for group in self.groups if group not in self.unguarded_groups]

    @cached_property
    def key_of(self) -> Callable[[Any], Key]:
        """Returns the key of an entity."""
        return values_of(self.key)

    @cached_property
    def groups_of(self) -> Mapping[str, Callable[[Any], Key]]:
        """By the name of each group, what returns an entity's values of it."""
        return {group: values_of(fields) for group, fields in self.groups.items()}

    def group_of(self, group: str, entity: Any) -> Key:
        return self.groups_of[group](entity)


class Put(Struct, frozen=True):
    """Store an entity: a new one (version 1), or the successor of the one that was read before."""

    table: Table
    entity: Any
    before: Any = None
    destroys: bool = False  # what was before must not be found on the disk afterwards


class Delete(Struct, frozen=True):
    """Remove an entity, if it still is the version given."""

    table: Table
    entity: Any
    destroys: bool = False


class Expect(Struct, frozen=True):
    """Go ahead only if this entity has not changed since it was read."""

    table: Table
    entity: Any


class ExpectAtMost(Struct, frozen=True):
    """Go ahead only if a group has no more than so many, once the writes before this are made."""

    table: Table
    group: str
    values: Key
    most: int = 0


Write = Put | Delete | Expect | ExpectAtMost


class StoreConflict(Exception):
    """Another commit changed what this one was based on: look up and decide again."""


class TokenOutdated(StoreConflict):
    """A token of a domain key that is closed: what the HSM has made must be made anew."""


class StoreFailed(Exception):
    """The store did not do it; nothing has changed."""


class StoreAltered(StoreFailed):
    """Somebody else than the service has changed a row: what depends on it is refused."""

    def __init__(self, altered: Altered) -> None:
        super().__init__(str(altered))
        self.altered = altered


class Absent(BaseException):
    """Not in memory; the path awaits `load()` and looks again.

    It is no `Exception`, so that no catch-all on the way mistakes it for a failure.
    """

    def __init__(self, load: Callable[[], Pending[None]]) -> None:
        super().__init__()
        self.load = load


async def resolved(look: Callable[P, L], *args: P.args, **kwargs: P.kwargs) -> L:
    """Return the result of a look: an absent entity is loaded, and it looks again.

    A look begins anew each time, so that everything it returns is of one moment.
    """
    while True:
        try:
            return look(*args, **kwargs)
        except Absent as absent:
            await absent.load()


class Follower(Protocol):
    """Something that is computed from the members of a group, and takes their changes singly."""

    def add(self, entity: Any) -> None:
        """Take in a member, which may replace one with its key."""

    def remove(self, entity: Any) -> None:
        """Leave out a member."""


F = TypeVar("F", bound=Follower)


class LargeGroup(Sequence[Any]):
    """The members of a large group, which change in place: not to be held while one waits."""

    __slots__ = ()

    @abstractmethod
    def followed(self, make: Callable[[Sequence[Any]], F]) -> F:
        """Return the follower that `make` makes of the members, which is kept up with them."""


async def looked_again(absent: Absent, look: Callable[P, L], *args: P.args, **kw: P.kwargs) -> L:
    """Return the result of a look that found something absent: as `resolved` does from then on.

    Who calls `look` first itself needs no coroutine for what is in memory already.
    """
    await absent.load()
    return await resolved(look, *args, **kw)


class View(Protocol):
    """The cache that operations read from; it raises `Absent` for what must be fetched."""

    def one(self, table: Table, key: Key) -> Any:
        """Return the entity with this key, or None if there is none."""

    def group(self, table: Table, group: str, values: Key) -> Sequence[Any]:
        """Return all entities of a group, in key order; a `LargeGroup` if they are many."""

    def page(
        self, table: Table, prefix: Key, after: Key | None, limit: int, group: str | None = None
    ) -> Sequence[Any]:
        """Return up to `limit` entities in key order, after the key `after`.

        Those whose key begins with `prefix`, or whose group values are `prefix`.
        """

    def count(self, table: Table, group: str, values: Key) -> int:
        """Return how many entities a group has."""


class CountingView(View, Protocol):
    """A view that counts the changes that it has seen of tables that make callers."""

    @property
    def epoch(self) -> int:
        """Return the count: as long as it is the same, looking again there finds the same."""


class Store(Protocol):
    """The durable store of all entities; if shared, memory may be behind other nodes a moment."""

    is_shared: bool

    def is_fresh(self) -> bool:
        """Return whether memory holds nothing that another worker of this node has changed."""

    def refresh(self) -> Pending[None]:
        """Drop from memory what others have changed."""

    def commit(self, writes: Sequence[Write], event_id: str, record: bytes) -> Pending[None]:
        """Make all changes and keep the record of them beside, or change nothing.

        Fails with `StoreConflict` or `StoreFailed`. It is a conflict as well if a change brings in
        a token of a domain key that is closed (`rules/keys/domains.py`).
        """

    def due(self, table: Table, now: float, limit: int) -> Pending[Sequence[Any]]:
        """Settle with up to `limit` entities whose time has come, the longest due first."""

    def search(
        self, table: Table, texts: Sequence[bytes], after: Key | None, rows: int
    ) -> Pending[tuple[Sequence[Any], Key | None]]:
        """Settle with the entities in whose stored form one of the texts stands.

        Looked through are so many rows after the key `after`, in key order; the second value is the
        key of the last one, None once there are no more.
        """

    def read_all(self, table: Table) -> Pending[Sequence[Any]]:
        """Settle with all entities of a small table, as they are in the store and not in memory."""

    def note(self, table: Table, entities: Sequence[Any]) -> None:
        """Write entities that need no record (uses, denials) later, replacing older ones."""

    def release(self, event_ids: Sequence[str]) -> None:
        """Forget records that have reached the journal; some time soon is soon enough."""


class Archive(Protocol):
    """The audit journal."""

    def check(self) -> None:
        """Check that records can be taken; raise if not, so that no change is made."""

    def take(self, record: bytes) -> Pending[None]:
        """Append the record of a success without changes; raise if records cannot be taken."""

    def append(self, record: bytes) -> Pending[None]:
        """Settle once the record is durable; fail if it cannot be made so."""

    def append_committed(self, event_id: str, record: bytes) -> Pending[None]:
        """Take a record that the store has committed with its change; settle soon."""


class Purpose(Struct, frozen=True, gc=False):
    """The purpose of a request, as holders outside our own HSM are shown it."""

    operation: str
    request_id: str = ""
    principal_arn: str = ""
    via_service: str | None = None


class Place(Struct, frozen=True, gc=False):
    """The custom key store that holds a key, as it is now, and the key's name there.

    The name is the id of the external key, or of the backing key in a cluster; empty if the request
    is about the store alone.
    """

    store: CustomKeyStore
    key_name: str = ""
    kms_key_arn: str = ""


class Outside(Struct, frozen=True, gc=False):
    """The places outside our own HSM that hold keys of a command, and the purpose of that.

    `place` holds the key of the command; with ReEncrypt it holds the source and `destination` the
    other, None for a key that our own HSM holds.
    """

    purpose: Purpose
    place: Place | None
    destination: Place | None = None


class Ask(NamedTuple):
    """A command, and where its keys are held outside: nowhere (None) with keys of our own HSM.

    An operation never asks which kind of holder it is.
    """

    outside: Outside | None
    command: Command | StoreAsk


class HolderRefused(Exception):
    """A holder outside our own HSM did not perform a command."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.name)
        self.cause = cause


class KeyHolder(Protocol):
    """The holders of all keys: our own HSM, and those of custom key stores."""

    def perform(self, ask: Ask) -> Pending[Reply]:
        """Settle with the reply; fail with `HsmGone` or `HolderRefused` when there is none."""


class KeySets(Protocol):
    """The public keys of identity providers."""

    def keys_of(self, issuer: str, key_id: str | None) -> Sequence[Mapping[str, Any]]:
        """Return an issuer's keys as JSON Web Keys; an empty list if they cannot be fetched.

        Raises `Absent` for what must be fetched first.
        """


class Trail(Protocol):
    """The audit trail, looked into."""

    def events(self, request_id: str, query: EventQuery) -> Sequence[FoundEvent]:
        """Return the events of a page, and one more if there is more; once for each request.

        Raises `Absent` for what must be looked for first.
        """

    def public_key(self, request_id: str) -> bytes | None:
        """Return the public key of digests (PEM), once it was made; once for each request.

        Raises `Absent` for what must be looked for first.
        """


class Asker(Struct, frozen=True):
    """One who asks an inspector: a request, and the account that it is of."""

    request_id: str
    account_id: str


class Inspector(Protocol):
    """Slow questions about the trail and the server.

    Each is answered once for a request, and raises `Absent` the first time; whoever waits may get
    a refusal.
    """

    def search(self, asker: Asker, search: EventSearch, places: Places) -> EventPage:
        """Return a page of events."""

    def prove_unused(self, asker: Asker, key: str, since: float, until: float | None) -> Proof:
        """Return whether a KMS key was used from `since` to before `until`.

        `key` is its ARN, the end of one, or an id.
        """

    def try_policy(
        self, asker: Asker, key: str, policy: str, since: float, visible_to: str | None
    ) -> Replayed:
        """Return the changes of a key policy that an account may see (None: all)."""

    def audit_status(self, asker: Asker) -> AuditStatus:
        """Return how far the trail is written and signed."""

    def server_status(self, asker: Asker) -> Mapping[str, Any]:
        """Return how the server is, in the members of GetStatus."""

    def usage(self, asker: Asker, query: UsageQuery) -> UsagePage:
        """Return usage of a month, and bills."""

    def replay_requests(self, asker: Asker, query: TwinQuery) -> TwinFound:
        """Return when requests would have been throttled, and what they would have cost."""

    def nodes(self, asker: Asker) -> Sequence[Mapping[str, Any]]:
        """Return the nodes of the deployment, each in the members of NodeDetails."""

    def metrics_summary(self, asker: Asker) -> Mapping[str, Any]:
        """Return the server's counters, in the members of GetMetricsSummary."""

    def hsm_status(self, asker: Asker) -> Mapping[str, Any]:
        """Return how the HSM is, in the members of GetHsmStatus."""
