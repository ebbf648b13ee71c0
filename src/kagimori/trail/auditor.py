"""The auditor: threads beside the supervisor that make digests, keep the index, deliver, tell.

It only reads the journals, and of each no further than its worker has answered for. What fails
here is told and tried again; no request waits for any of it.
"""

import contextlib
import os
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from kagimori.deployment.audit_key import AuditKey, audit_key
from kagimori.deployment.folder import Layout
from kagimori.hsm.process import HsmRefused
from kagimori.machinery.store.key_watch import KeyWatch
from kagimori.rules.records.receiver import read_receiver
from kagimori.settings import AuditOptions
from kagimori.trail.checkpoints import checkpoints_at
from kagimori.trail.delivery import Delivery
from kagimori.trail.digests import Digester
from kagimori.trail.index import KEPT_SECONDS, AuditIndex, remove_index
from kagimori.trail.notices import Notifier, begin_at_end, state_file
from kagimori.trail.reader import stream_folders
from kagimori.trail.receiving import ReceivingCommand, Webhook, secret_in
from kagimori.trail.retention import Beginnings, new_beginnings, remove_before
from kagimori.trail.tail import EVERYTHING, TrailBroken
from kagimori.trail.targets import delivery_to
from kagimori_boundary.commands import Command, SignDigest
from kagimori_boundary.replies import Bytes, Reply

INDEX_SECONDS: Final = 0.25
DIGEST_TURN_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 15.0
COPY_SECONDS: Final = 60.0  # before a copy that was not taken is tried again
FORGET_SECONDS: Final = 3600.0
DAY_SECONDS: Final = 86_400
NICENESS: Final = 10  # requests come first

Ends = Callable[[], Mapping[str, int]]


class Auditor:
    """Follows the journals while the server runs."""

    def __init__(
        self,
        layout: Layout,
        options: AuditOptions,
        *,
        ends: Ends,
        ask: Callable[[Command], Reply],
        trouble: Callable[[str, str], None],
    ) -> None:
        self._layout, self._options = layout, options
        self._ends, self._ask, self._trouble = ends, ask, trouble
        self._stopping = threading.Event()
        self._key_made = threading.Lock()
        self._threads = [threading.Thread(target=self._keep_index, name="audit-index", daemon=True)]
        if options.digest_minutes > 0:
            digests = threading.Thread(target=self._make_digests, name="audit-digests", daemon=True)
            self._threads.append(digests)
        if options.deliver is not None:
            delivery = threading.Thread(target=self._deliver, name="audit-delivery", daemon=True)
            self._threads.append(delivery)
        receivers = dict(self._receivers())
        self._receiver_names = tuple(receivers)
        for name, receiver in receivers.items():
            # Before anybody is told that we serve: what comes from then on is told of.
            with contextlib.suppress(OSError, TrailBroken):
                begin_at_end(layout.audit, state_file(layout.audit, name))
            telling = threading.Thread(
                target=self._tell, args=(name, receiver.post), name=f"audit-{name}", daemon=True
            )
            self._threads.append(telling)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def finish(self, seconds: float) -> None:
        """Take in the rest and sign it; call when the workers have ended and the HSM has not."""
        self._stopping.set()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))

    # --- digests ------------------------------------------------------------------------------

    def _make_digests(self) -> None:
        _step_back()
        digester: Digester | None = None
        due = copy_at = time.monotonic()
        while True:
            stopping = self._stopping.is_set()
            try:
                digester = digester or self._new_digester()
                digester.follow(self._read_to(stopping=stopping))
                if stopping or time.monotonic() >= due:
                    self._digest(digester)
                    due = time.monotonic() + self._options.digest_minutes * 60
                    copy_at = time.monotonic() + COPY_SECONDS
                elif time.monotonic() >= copy_at:
                    digester.copy()
                    copy_at = time.monotonic() + COPY_SECONDS
            except Exception as problem:  # noqa: BLE001 - the next turn must come
                self._trouble("digest", _why(problem))
                due = time.monotonic() + RETRY_SECONDS
            if stopping:
                return
            self._stopping.wait(DIGEST_TURN_SECONDS)

    def _new_digester(self) -> Digester:
        key, options = self._key(), self._options
        return Digester(
            self._layout.audit,
            fingerprint=key.fingerprint,
            sign=lambda to_sign: self._sign(key.command(to_sign)),
            now=time.time,
            trouble=lambda text: self._trouble("audit", text),
            checkpoints=None
            if options.checkpoints is None
            else checkpoints_at(
                options.checkpoints,
                secret=None if options.webhook_secret is None else Path(options.webhook_secret),
                lock_days=options.checkpoint_lock_days,
                environment=os.environ,
                now=time.time,
            ),
        )

    def _digest(self, digester: Digester) -> None:
        begins: Beginnings = {}
        if self._options.retain_days is not None:
            older_than = time.time() - self._options.retain_days * DAY_SECONDS
            begins = new_beginnings(
                self._layout.audit, digester.newest, older_than, self._receiver_names
            )
        if digester.has_news() or begins:
            digester.make(begins)
            remove_before(self._layout.audit, begins)

    # --- delivery -----------------------------------------------------------------------------

    def _deliver(self) -> None:
        _step_back()
        delivery: Delivery | None = None
        due = digest_due = time.monotonic()
        while True:
            stopping = self._stopping.is_set()
            now = time.monotonic()
            try:
                if stopping or now >= due:
                    delivery = delivery or self._new_delivery()
                    delivery.deliver(self._read_to(stopping=stopping))
                    due = now + self._options.deliver_minutes * 60
                    if self._options.digest_minutes > 0 and (stopping or now >= digest_due):
                        delivery.digest()
                        digest_due = now + self._options.digest_minutes * 60
            except Exception as problem:  # noqa: BLE001 - the next turn must come
                self._trouble("delivery", _why(problem))
                delivery, due = None, now + RETRY_SECONDS
            if stopping:
                return
            self._stopping.wait(min(DIGEST_TURN_SECONDS, self._options.deliver_minutes * 60))

    def _new_delivery(self) -> Delivery:
        key = self._key()
        return Delivery(
            self._layout.audit,
            delivery_to(self._options.deliver or "", environment=os.environ, now=time.time),
            fingerprint=key.fingerprint,
            sign=lambda to_sign: self._sign(key.command(to_sign)),
            now=time.time,
            draw=os.urandom,
            trouble=lambda text: self._trouble("delivery", text),
        )

    def _key(self) -> AuditKey:
        with self._key_made:
            return audit_key(self._layout, self._ask)

    def _sign(self, command: SignDigest) -> str:
        reply = self._ask(command)
        if not isinstance(reply, Bytes):
            raise HsmRefused("the HSM answered something else")
        return reply.value.hex()

    # --- events outward -----------------------------------------------------------------------

    def _receivers(self) -> Iterator[tuple[str, Webhook | ReceivingCommand]]:
        """Yield who is told of events, and the name that its place is noted under.

        Raises:
            BadReceiver: no such address, or no secret to sign with.
        """
        options = self._options
        if options.notify_url is not None:
            secret = secret_in(Path(options.webhook_secret or ""))
            yield "webhook", Webhook(read_receiver(options.notify_url), secret)
        if options.notify_command is not None:
            yield "command", ReceivingCommand(tuple(shlex.split(options.notify_command)))

    def _tell(self, name: str, post: Callable[[bytes, str], None]) -> None:
        _step_back()
        keys: KeyWatch | None = None
        notifier: Notifier | None = None
        while True:
            stopping = self._stopping.is_set()
            try:
                keys = keys or KeyWatch(self._layout.database)
                notifier = notifier or self._new_notifier(name, post, keys)
                pause = notifier.turn(self._read_to(stopping=stopping))
                if stopping:
                    notifier.note()
            except Exception as problem:  # noqa: BLE001 - the next turn must come
                self._trouble(name, _why(problem))
                pause = RETRY_SECONDS
            if stopping:
                if keys is not None:
                    keys.close()
                return
            self._stopping.wait(pause)

    def _new_notifier(
        self, name: str, post: Callable[[bytes, str], None], keys: KeyWatch
    ) -> Notifier:
        return Notifier(
            self._layout.audit,
            name,
            post=post,
            keys=keys,
            ahead_seconds=self._options.notify_days * DAY_SECONDS,
            storm_denials=self._options.denial_storm,
            now=time.time,
            trouble=lambda text: self._trouble(name, text),
        )

    # --- the index ----------------------------------------------------------------------------

    def _keep_index(self) -> None:
        _step_back()
        index: AuditIndex | None = None
        forget_at = time.monotonic()
        while True:
            stopping = self._stopping.is_set()
            try:
                if index is not None and not index.is_in_place:
                    index.close()
                    index = None
                index = index or AuditIndex(self._layout.audit)
                self._follow(index, self._read_to(stopping=stopping))
                if time.monotonic() >= forget_at:
                    forget_at = time.monotonic() + FORGET_SECONDS
                    index.forget_before(time.time() - KEPT_SECONDS)
            except Exception as problem:  # noqa: BLE001 - the next turn must come
                self._trouble("audit index", _why(problem))
                if index is not None:
                    index.close()
                    index = None
                if isinstance(problem, TrailBroken):
                    # What it says can no longer be complete: from the beginning again.
                    with contextlib.suppress(OSError):
                        remove_index(self._layout.audit)
                self._stopping.wait(RETRY_SECONDS)
            if stopping:
                if index is not None:
                    index.close()
                return
            self._stopping.wait(INDEX_SECONDS)

    def _follow(self, index: AuditIndex, ends: Mapping[str, int]) -> None:
        for folder in stream_folders(self._layout.audit):
            index.follow(folder, ends.get(folder.name, EVERYTHING))

    def _read_to(self, *, stopping: bool) -> Mapping[str, int]:
        """Return how far each stream may be read; one without a worker to its end."""
        return {} if stopping else self._ends()


def _why(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}"


def _step_back() -> None:
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
