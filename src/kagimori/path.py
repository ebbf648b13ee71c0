"""The path of one request, from bytes to bytes. Read this first.

    front -> who (SigV4) -> look up -> may they (authorize) -> HSM -> commit and record -> front

One request is one decision, at most one HSM command, one transaction, one audit record.
"""

from collections.abc import Callable, Mapping
from functools import partial
from time import perf_counter
from typing import Any, Final

from kagimori.front.wire import FORM, Target, Wire
from kagimori.gate.account_view import AccountView
from kagimori.gate.asked import Asked, Request, Settings
from kagimori.gate.may_they import authorize_all
from kagimori.gate.who import Who
from kagimori.gate.why import denial_of
from kagimori.hsm.client import HsmGone
from kagimori.machinery.telemetry import Telemetry
from kagimori.operations.operation import AnyOperation, Facts, Outcome, Withheld
from kagimori.pending import start
from kagimori.ports import (
    Absent,
    Archive,
    Ask,
    KeyHolder,
    Store,
    StoreConflict,
    StoreFailed,
    View,
    resolved,
)
from kagimori.rules.authorization.denial import Denials
from kagimori.rules.identity.caller import Caller, nobody
from kagimori.rules.keys.usage_record import KeyUsageRecord, Usages
from kagimori.rules.partitions import region_of_call
from kagimori.rules.policy.steps import OutOfSteps
from kagimori.rules.records.copies import owners_event_id
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
from kagimori.rules.sigv4.canonical import header_values
from kagimori.rules.sigv4.claim import Claim, read_claim
from kagimori.rules.sigv4.presigned import SIGNATURE, read_presigned
from kagimori.trail.journal import JournalFailed
from kagimori.trail.keeper import Keeper
from kagimori_boundary.commands import Command
from kagimori_boundary.replies import Failed

# How often a change is decided anew because somebody else changed the same thing meanwhile.
ATTEMPTS_MAX: Final = 20


class Progress:
    """The state of a request so far, from which its record is made if it ends here."""

    __slots__ = ("call", "caller", "claim", "facts", "headers", "operation", "raw", "target")

    def __init__(self, raw: RawRequest) -> None:
        self.raw = raw
        self.headers: Mapping[bytes, bytes] = header_values(raw.headers)
        self.claim: Claim | None = None
        self.target: Target | None = None
        self.operation: AnyOperation | None = None
        self.caller: Caller | None = None
        self.call: Call | None = None
        self.facts: Facts | None = None

    @property
    def service(self) -> str:
        if self.target is not None:
            return self.target.model.service
        return self.scoped_to or ("sts" if self.raw.method == b"GET" else "kms")

    @property
    def scoped_to(self) -> str:
        """The service that the signature is for."""
        return self.claim.scope.service if self.claim is not None else ""

    @property
    def region(self) -> str:
        if self.call is not None:
            return self.call.region
        if self.claim is None:
            return ""
        return region_of_call(self.service, self.claim.scope.region)

    @property
    def name(self) -> str:
        return self.target.operation if self.target is not None else "Unknown"


class Path:
    """Takes whole requests in, and answers each exactly once."""

    def __init__(
        self,
        *,
        wire: Wire,
        who: Who,
        operations: Mapping[tuple[str, str], AnyOperation],
        view: View,
        store: Store,
        key_holder: KeyHolder,
        archive: Archive,
        now: Callable[[], float],
        draw: Callable[[], str],
        telemetry: Telemetry,
        settings: Settings,
        usages: Usages,
        denials: Denials,
        on_due: Callable[[float], None],
        strangers: Strangers | None = None,
    ) -> None:
        self._wire = wire
        self._who = who
        self._operations = operations
        self._view = view
        self._store = store
        self._key_holder = key_holder
        self._archive = archive
        self._keeper = Keeper(store, archive, key_holder, telemetry)
        self._now = now
        self._draw = draw
        self._telemetry = telemetry
        self._settings = settings
        self._usages = usages
        self._denials = denials
        self._on_due = on_due
        self._strangers = strangers or Strangers()

    def handle(self, raw: RawRequest, respond: Callable[[RawAnswer], None]) -> None:
        """Answer one request, now or later."""
        start(self._answer(raw, respond))

    async def _answer(self, raw: RawRequest, respond: Callable[[RawAnswer], None]) -> None:
        began = perf_counter()
        progress = Progress(raw)
        result = "ok"
        try:
            try:
                answer = await self._serve(progress)
            except (Exception, Absent) as problem:  # noqa: BLE001 - the one catch-all
                refusal = self._as_refusal(problem)
                result = refusal.code
                answer = await self._refuse(progress, refusal)
        except Exception as problem:  # noqa: BLE001 - whoever asked must not wait for ever
            if not isinstance(problem, JournalFailed):
                self._telemetry.fault(problem)
            # INVARIANT(record-before-release): without a record there is no other answer.
            result = KMSInternalException.code
            answer = self._encode_refusal(progress, KMSInternalException())
        self._telemetry.request(progress.service, progress.name, result, perf_counter() - began)
        respond(answer)

    async def _serve(self, progress: Progress) -> RawAnswer:
        raw, now = progress.raw, round(self._now(), 3)
        clock = perf_counter()
        target = progress.target = self._open(progress)
        claim, service = progress.claim, target.model.service
        operation = self._operations.get((service, target.operation))
        progress.operation = operation
        if not self._store.is_fresh():
            await self._store.refresh()
        if claim is None:
            caller, region = nobody(), self._settings.home_region
        else:
            caller = await self._who.identify(raw, progress.headers, claim, service, now)
            progress.caller, region = caller, region_of_call(service, claim.scope.region)
        if operation is None:
            raise UnsupportedOperationException(f"{target.operation} is not offered here.")
        given = self._wire.decode(target, raw)
        call = progress.call = Call(service, target.operation, region, given)
        asked = Asked(
            call,
            caller,
            raw,
            now,
            self._settings,
            view=AccountView(self._view, caller.account_id),
            draw=self._draw,
            usages=self._usages,
        )
        clock = self._telemetry.stage("who", clock)
        for _ in range(ATTEMPTS_MAX):
            request, facts, command = await resolved(
                partial(self._decide, operation, asked, progress)
            )
            clock = self._telemetry.stage("decide", clock)
            reply: Any = None
            if command is not None:
                reply = await self._key_holder.perform(Ask(facts.key_store_id, command))
                clock = self._telemetry.stage("hsm", clock)
                if reply.__class__ is Failed:
                    raise operation.refusal(request, facts, reply.failure)
            outcome = operation.finish(request, facts, reply)
            answer = self._wire.encode(target, outcome.answer, raw.request_id)
            try:
                await self._keep(progress, outcome, now)
            except StoreConflict:
                continue  # decided on what is no longer so: look again
            self._telemetry.stage("record", clock)
            return answer
        raise KMSInternalException

    def _open(self, progress: Progress) -> Target:
        """Return what is asked for, once it is known how the request is signed, if it is."""
        raw, authorization = progress.raw, progress.headers.get(b"authorization")
        is_presigned = authorization is None and SIGNATURE in raw.target
        if is_presigned or raw.method == b"GET":  # the form is in the URL
            progress.headers = {**progress.headers, **FORM}
        if authorization is not None:
            progress.claim = read_claim(authorization)
        elif is_presigned:
            progress.claim = read_presigned(raw.target)
        else:
            unsigned = self._wire.unsigned_target(raw, progress.headers)
            if unsigned is not None:
                return unsigned
            progress.claim = read_claim(authorization)
        return self._wire.target(raw, progress.headers, progress.scoped_to)

    def _decide(
        self, operation: AnyOperation, asked: Asked, progress: Progress
    ) -> tuple[Request, Facts, Command | None]:
        """Return what was found, and the command for the HSM: only if all of it is allowed.

        Raises:
            Absent: what is needed is not in memory yet; look up and decide again.
        """
        facts = progress.facts = operation.look_up(asked)
        if facts.identified is not None:
            progress.caller = asked.caller = facts.identified
        try:
            allowed = authorize_all(asked, facts.needs)
        except AccessDeniedException:
            self._remember_denial(asked, facts)
            raise
        if isinstance(facts, Withheld):
            raise facts.refusal
        facts = progress.facts = operation.read(asked, facts)
        request = asked.request()
        return request, facts, operation.ask(request, allowed, facts)

    def _remember_denial(self, asked: Asked, facts: Facts) -> None:
        """Keep the whole decision for `kagimori why`; the caller is told what AWS tells."""
        if asked.steps.are_used_up:
            self._telemetry.trouble("OutOfSteps", f"{asked.call.operation}: too much to weigh")
        if self._denials.is_full:
            return
        try:
            denial = denial_of(asked, facts.needs, self._denials.next_slot())
        except (Absent, OutOfSteps):
            return  # telling more would need more reading or weighing than a denial is worth
        if denial is not None:
            self._denials.add(denial)

    async def _keep(self, progress: Progress, outcome: Outcome, now: float) -> None:
        """Make the changes and the record durable, together."""
        event_id = self._draw()
        record = self._record(progress, event_id, now, outcome=outcome)
        await self._keeper.keep(outcome.writes, event_id, record, outcome.afterwards)
        if outcome.writes:
            self._on_due(now)
        elif progress.operation is not None and progress.operation.uses_keys:
            self._note_use(progress, event_id, now)

    def _note_use(self, progress: Progress, event_id: str, now: float) -> None:
        request_id = progress.raw.request_id
        for need in progress.facts.needs if progress.facts is not None else ():
            key = need.kms_key
            if key is not None:
                is_own = progress.caller is None or progress.caller.account_id == key.account_id
                copy = event_id if is_own else owners_event_id(event_id, key.account_id)
                self._usages.note(
                    KeyUsageRecord(
                        account_id=key.account_id,
                        region=key.region,
                        key_id=key.key_id,
                        operation=progress.name,
                        at=now,
                        event_id=copy,
                        request_id=request_id,
                    )
                )

    async def _refuse(self, progress: Progress, refusal: Refusal) -> RawAnswer:
        refusal = self._wire.told(progress.headers, refusal)
        answer = self._encode_refusal(progress, refusal)
        now = self._now()
        address, admits = progress.raw.source_ip, self._strangers.admits
        if progress.caller is None and not admits(address, refusal.code, now):
            return answer  # anybody can cause these: one record tells of what is beyond a rate
        record = self._record(progress, self._draw(), now, refusal=refusal)
        await self._archive.append(record)
        return answer

    def _record(
        self,
        progress: Progress,
        event_id: str,
        now: float,
        *,
        outcome: Outcome | None = None,
        refusal: Refusal | None = None,
    ) -> bytes:
        operation, claim, facts = progress.operation, progress.claim, progress.facts
        return record_of(
            event_id=event_id,
            now=now,
            raw=progress.raw,
            headers=progress.headers,
            service=progress.service,
            event_name=progress.name,
            region=progress.region,
            read_only=operation.read_only if operation is not None else False,
            caller=progress.caller,
            claimed_access_key=claim.scope.access_key_id if claim is not None else "",
            call=progress.call,
            resources=(
                *(facts.resources if facts is not None else ()),
                *(outcome.made if outcome is not None else ()),
            ),
            response_elements=outcome.response_elements if outcome is not None else None,
            additional=outcome.additional if outcome is not None else None,
            refusal=refusal,
        )

    def _encode_refusal(self, progress: Progress, refusal: Refusal) -> RawAnswer:
        raw = progress.raw
        return self._wire.refuse(progress.headers, progress.service, refusal, raw.request_id)

    def _as_refusal(self, problem: BaseException) -> Refusal:
        if isinstance(problem, Refusal):
            return problem
        if isinstance(problem, JournalFailed):
            return KMSInternalException()  # recorded as such, if that can still be done
        if isinstance(problem, HsmGone | StoreFailed):
            self._telemetry.trouble(type(problem).__name__, str(problem))
            return KMSInternalException()
        self._telemetry.fault(problem)
        return InternalFailure()
