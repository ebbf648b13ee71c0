"""The path of one request, from bytes to bytes. Read this first.

    receive -> who -> look up -> authorize -> read -> ask -> HSM -> finish -> keep -> answer

One request is one decision, at most one HSM command, one transaction, one audit record.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from kagimori.front.received import Received, Target
from kagimori.front.wire import Wire
from kagimori.gate.account_view import AccountView
from kagimori.gate.asked import Asked, Drawn, Request, Settings
from kagimori.gate.key_uses import note_uses
from kagimori.gate.may_they import authorize_all
from kagimori.gate.quota import Quotas
from kagimori.gate.who import Who
from kagimori.gate.why import remember_denial
from kagimori.machinery.telemetry import Telemetry
from kagimori.machinery.turns import Turn, Turns
from kagimori.operations.operation import AnyOperation, Facts, Outcome, Withheld
from kagimori.pending import start
from kagimori.ports import (
    Absent,
    Archive,
    Ask,
    HolderRefused,
    KeyHolder,
    Store,
    StoreConflict,
    TokenOutdated,
    View,
    Write,
    looked_again,
    resolved,
)
from kagimori.rules.authorization.denial import Denials
from kagimori.rules.identity.caller import nobody
from kagimori.rules.key_stores.asks import StoreAsk
from kagimori.rules.keys.usage_record import Usages
from kagimori.rules.quotas.refusals import contended
from kagimori.rules.records.progress import Progress
from kagimori.rules.records.record import record_of
from kagimori.rules.records.strangers import Strangers
from kagimori.rules.refusal import (
    AccessDeniedException,
    InternalFailure,
    KMSInternalException,
    Refusal,
    UnsupportedOperationException,
)
from kagimori.rules.request import Call, RawAnswer, RawRequest
from kagimori.trail.journal import JournalFailed
from kagimori.trail.keeper import Keeper
from kagimori.trail.troubles import as_refusal
from kagimori_boundary.commands import Command
from kagimori_boundary.replies import Failed, Reply


@dataclass(kw_only=True, eq=False)
class Path:
    """Takes whole requests in, and answers each exactly once."""

    wire: Wire
    who: Who
    operations: Mapping[tuple[str, str], AnyOperation]
    view: View
    store: Store
    key_holder: KeyHolder
    archive: Archive
    now: Callable[[], float]
    draw: Callable[[], str]
    telemetry: Telemetry
    settings: Settings
    usages: Usages
    denials: Denials
    on_due: Callable[[float], None]
    strangers: Strangers = field(default_factory=Strangers)
    quotas: Quotas | None = None
    keeper: Keeper = field(init=False)
    turns: Turns = field(default_factory=Turns)

    def __post_init__(self) -> None:
        self.keeper = Keeper(self.store, self.archive, self.key_holder, self.telemetry)

    def handle(self, raw: RawRequest, respond: Callable[[RawAnswer], None]) -> None:
        """Answer one request, now or later."""
        start(self._answer(raw, respond))

    async def _answer(self, raw: RawRequest, respond: Callable[[RawAnswer], None]) -> None:
        marks = [("", perf_counter())]
        received = self.wire.receive(raw)
        progress = received.progress()
        result = "ok"
        try:
            try:
                answer = await self._serve(received, progress, marks)
            except (Exception, Absent) as problem:  # noqa: BLE001 - the one catch-all
                refusal = as_refusal(problem, self.telemetry)
                if self.quotas is not None and progress.counted is None:
                    refusal = await self._counted(self.quotas, progress, refusal)
                result = refusal.code
                answer = await self._refuse(received, progress, refusal)
        except Exception as problem:  # noqa: BLE001 - whoever asked must not wait for ever
            if not isinstance(problem, JournalFailed):
                self.telemetry.fault(problem)
            # INVARIANT(record-before-release): without a record there is no other answer.
            result = KMSInternalException.code
            answer = self.wire.refuse(received, KMSInternalException())
        self.telemetry.request(progress.service, progress.name, result, marks, perf_counter())
        respond(answer)

    async def _serve(
        self, received: Received, progress: Progress, marks: list[tuple[str, float]]
    ) -> RawAnswer:
        """Return the answer that may leave: decided, done, and recorded."""
        operation, target, asked = await self._asked(received, progress)
        marks.append(("who", perf_counter()))
        turn = Turn(self.turns)
        done: Ask | None = None  # what the HSM was asked before this decision, and answered
        reply: Reply | None = None
        try:
            while True:
                try:
                    decided = self._decide(operation, asked, progress)
                except Absent as absent:
                    decided = await looked_again(absent, self._decide, operation, asked, progress)
                request, facts, command = decided
                marks.append(("decide", perf_counter()))
                reply = reply if done == (facts.outside, command) else None
                if command is not None and reply is None:
                    done = Ask(facts.outside, command)
                    try:
                        reply = await self.key_holder.perform(done)
                    except HolderRefused as refused:
                        raise operation.refusal_outside(request, facts, refused.cause) from None
                    marks.append(("hsm", perf_counter()))
                    if isinstance(reply, Failed):
                        raise operation.refusal(request, facts, reply.failure)
                    progress.done = command, reply
                outcome = operation.finish(request, facts, reply)
                try:
                    if outcome.writes:  # who has to wait needs no record yet
                        turn.check(outcome.writes)
                    answer = self.wire.encode(target, outcome.answer, request.raw.request_id)
                    event_id = self.draw()
                    record = record_of(progress, outcome, event_id, request.now)
                    await self.keeper.keep(outcome.writes, event_id, record, outcome.afterwards)
                except StoreConflict as conflict:  # decided on what is no longer so: look again
                    await self._come(turn, asked, outcome.writes)
                    reply = None if isinstance(conflict, TokenOutdated) else reply
                    continue
                self._note(operation, request, facts, outcome, event_id)
                marks.append(("record", perf_counter()))
                return answer
        finally:
            if turn.held:
                turn.give_back()

    async def _come(self, turn: Turn, asked: Asked, writes: Sequence[Write]) -> None:
        """Wait for the turn to decide anew, with what was given and drawn the first time.

        Raises:
            ConcurrentModification, ThrottlingException: others have come before for too long.
        """
        if not await turn.come(writes):
            raise contended(asked.call.service)
        asked.begin_again()

    async def _asked(
        self, received: Received, progress: Progress
    ) -> tuple[AnyOperation, Target, Asked]:
        """Return the operation, and what it is asked by whom: the signature has held."""
        raw, target, now = received.raw, received.target, round(self.now(), 3)
        if not self.store.is_fresh():
            await self.store.refresh()
        if target is None:
            raise received.problem or InternalFailure()
        operation = self.operations.get((progress.service, progress.name))
        if received.claim is not None:
            try:
                progress.caller = self.who.identify(received, received.claim, now)
            except Absent as absent:
                identify = self.who.identify
                found = await looked_again(absent, identify, received, received.claim, now)
                progress.caller = found
        if operation is None:
            raise UnsupportedOperationException(f"{progress.name} is not offered here.")
        progress.read_only = operation.read_only
        if not operation.read_only and self.store.is_shared:
            # A change that finds nothing to do is checked by no commit: it must not find so in
            # memory that is behind another node.
            await self.store.refresh()
        given = self.wire.decode(target, raw)
        region = progress.region = progress.region or self.settings.home_region
        call = progress.call = Call(progress.service, progress.name, region, given)
        caller = progress.caller or nobody()
        view = AccountView(self.view, caller.principal.account_id)
        drawn = None if operation.read_only else Drawn(self.draw)
        draw, settings, usages = drawn or self.draw, self.settings, self.usages
        asked = Asked(call, caller, raw, now, settings, view, draw, usages, drawn=drawn)
        return operation, target, asked

    def _decide(
        self, operation: AnyOperation, asked: Asked, progress: Progress
    ) -> tuple[Request, Facts, Command | StoreAsk | None]:
        """Return the facts, and the command for the HSM: only if all needs are allowed.

        Raises:
            Absent: what is needed is not in memory yet; look up and decide again.
            ThrottlingException: the account has called too often.
        """
        if asked.drawn is not None:
            asked.drawn.at = 0
        try:
            facts = operation.look_up(asked)
        except Absent:  # before anything is loaded for it
            if self.quotas is not None:
                self.quotas.admit(progress, (), asked.now)
            raise
        progress.resources = facts.resources
        if facts.identified is not None:
            progress.caller = asked.caller = facts.identified
        progress.claimed = facts.claimed
        if self.quotas is not None:
            self.quotas.admit(progress, facts.needs, asked.now)
        try:
            allowed = authorize_all(asked, facts.needs)
        except AccessDeniedException:
            if asked.steps.are_used_up:
                self.telemetry.trouble("OutOfSteps", f"{progress.name}: too much to weigh")
            remember_denial(self.denials, asked, facts.needs)
            raise
        if isinstance(facts, Withheld):
            raise facts.refusal
        facts = operation.read(asked, facts)
        request = Request(asked.call, asked.caller, asked.raw, asked.now, asked.settings)
        return request, facts, operation.ask(request, allowed, facts)

    def _note(
        self,
        operation: AnyOperation,
        request: Request,
        facts: Facts,
        outcome: Outcome,
        event_id: str,
    ) -> None:
        """Have due times looked at after changes; note the newest use of a key."""
        if outcome.writes:
            self.on_due(request.now)
        elif operation.uses_keys:
            note_uses(self.usages, request, facts.needs, event_id)

    async def _counted(self, quotas: Quotas, progress: Progress, refusal: Refusal) -> Refusal:
        """Return the refusal of a request not counted before; another one if it is too much."""
        try:
            await resolved(quotas.admit, progress, (), self.now())
        except Refusal as too_much:
            return too_much
        return refusal

    async def _refuse(self, received: Received, progress: Progress, refusal: Refusal) -> RawAnswer:
        refusal = self.wire.in_protocol(received, refusal)
        answer = self.wire.refuse(received, refusal)
        now, address = self.now(), progress.raw.source_ip
        # Anybody can cause refusals of callers not identified: one record counts those left out.
        is_owed = progress.caller is not None or progress.withheld
        if is_owed or self.strangers.admits(address, refusal.code, now):
            await self.archive.append(record_of(progress, refusal, self.draw(), now))
        return answer
