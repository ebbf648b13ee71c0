"""The followers' process: its parts, and its conversation with the supervisor.

It answers no request and holds no key: its connection to the HSM may have digests signed, and
nothing else. When the supervisor goes away, it goes as well.
"""

import contextlib
import os
import shlex
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from kagimori.deployment.audit_key import AuditKey, stored_audit_key
from kagimori.deployment.folder import Layout, Unusable
from kagimori.deployment.opened import new_store, opened
from kagimori.deployment.shipping_key import shipping_key
from kagimori.machinery.control import Answer, Question, Talk
from kagimori.machinery.logs import Log
from kagimori.machinery.store.admin import AdminStore, StoreUnusable
from kagimori.machinery.store.key_watch import KeyWatch
from kagimori.rules.records.receiver import read_receiver
from kagimori.trail.alone import AloneFollower
from kagimori.trail.checkpoints import Checkpoints, checkpoints_at, place_of_node
from kagimori.trail.delivery import STATE_NAME
from kagimori.trail.delivery_follower import DeliveryFollower
from kagimori.trail.digest_follower import DigestFollower
from kagimori.trail.follower import Follower, Runner
from kagimori.trail.index_follower import IndexFollower
from kagimori.trail.mark import MARKS
from kagimori.trail.metering_follower import MeteringFollower
from kagimori.trail.notice_follower import NoticeFollower
from kagimori.trail.notices import Keys, Notifier, begin_at_end, state_file
from kagimori.trail.options import FINISH_SECONDS, TrailConfig
from kagimori.trail.receiving import ReceivingCommand, Webhook, secret_in
from kagimori.trail.retention import DAY_SECONDS, Proposals, RetentionFollower
from kagimori.trail.sharing import MirrorFollower, SharingFollower, taken_elsewhere
from kagimori.trail.shelves import shelf_at
from kagimori.trail.shipping import ShippingFollower
from kagimori.trail.signer import Signer
from kagimori.trail.source import Source

REPORT_SECONDS: Final = 1.0
NICENESS: Final = 10  # requests come first
STRANGERS_NAMED_MAX: Final = 10
NAME_CHARACTERS_MAX: Final = 64


class TrailProcess:
    """All followers of one deployment."""

    def __init__(self, config: TrailConfig) -> None:
        self._layout, self._options = Layout(Path(config.data)), config.options
        self._talk = Talk(socket.socket(fileno=config.control_fd))
        self._log = Log()
        self._marks = self._layout.data / MARKS
        self._source = Source(self._layout.audit, config.streams, self._marks)
        self._signer = Signer(Path(config.hsm_socket), self._key)
        self._node, self._is_shared = config.node, config.is_shared
        self._strangers: list[str] = []

    def run(self) -> None:
        """Follow from when the supervisor says so until it says to finish."""
        question = self._next(None)
        while question is None or question.asked != "begin":
            question = self._next(None)
        if self._is_shared:
            with contextlib.suppress(StoreUnusable, Unusable), self._open_store() as store:
                self._source.leave_out(taken_elsewhere(store))
        runner = Runner(list(self._followers()), trouble=self._trouble)
        self._talk.say(Answer(question.number))
        with contextlib.suppress(OSError):
            os.nice(NICENESS)  # not before: the server waits for us until here
        runner.start()
        while question is None or question.asked != "finish":
            self._look_for_strangers()
            self._talk.say(Answer(0, value=self._report(runner)))
            question = self._next(REPORT_SECONDS)
        if not runner.finish(FINISH_SECONDS):
            self._trouble("trail", "a follower did not end in time")
        self._talk.say(Answer(0, value=self._report(runner)))
        os._exit(0)  # whatever still hangs

    def _next(self, seconds: float | None) -> Question | None:
        try:
            return self._talk.next_question(seconds)
        except (OSError, EOFError, ValueError):
            os._exit(1)

    def _report(self, runner: Runner) -> dict[str, Any]:
        return {"followers": runner.states(), "unknown_streams": self._strangers}

    def _look_for_strangers(self) -> None:
        try:
            found = self._source.strangers()
        except OSError:
            return  # the followers report it
        names = [name[:NAME_CHARACTERS_MAX] for name in found[:STRANGERS_NAMED_MAX]]
        for name in set(names) - set(self._strangers):
            self._trouble(
                "audit", f"{name!r} in the audit folder is no stream of this deployment: not signed"
            )
        self._strangers = names

    def _trouble(self, part: str, why: str) -> None:
        self._log.error("trouble", part=part, why=why)

    def _reporting(self, part: str) -> Callable[[str], None]:
        return lambda why: self._trouble(part, why)

    # --- the followers ------------------------------------------------------------------------

    def _followers(self) -> Iterator[Follower]:
        options, source = self._options, self._source
        proposals = Proposals()
        receivers = list(self._receivers())
        if self._is_shared:
            yield SharingFollower(source, self._node, self._open_store)
            yield MirrorFollower(source, self._node, self._open_store, self._marks, proposals)
        yield IndexFollower(source)
        yield MeteringFollower(source, keys=lambda: KeyWatch(self._layout.store))
        if options.digest_minutes > 0:
            yield DigestFollower(
                source,
                self._signer,
                minutes=options.digest_minutes,
                proposals=proposals,
                checkpoints=self._checkpoints,
                trouble=self._reporting("audit"),
            )
        if options.deliver is not None:
            yield self._once("delivery", source.audit / STATE_NAME, self._delivery)
        if options.ship is not None:
            yield self._shipping(options.ship)
        if options.retain_days is not None and options.digest_minutes > 0:
            names = tuple(receiver.name for receiver in receivers)
            days = options.retain_days
            yield RetentionFollower(
                source,
                days=days,
                receivers=names,
                proposals=proposals,
                ships=options.ship is not None,
            )
        yield from receivers

    def _once(self, name: str, file: Path, make: Callable[[], Follower]) -> Follower:
        """Return a follower that goes outward: among several nodes, one at a time runs it.

        `file` is where it keeps how far it has come.
        """
        if not self._is_shared:
            return make()
        return AloneFollower(name, make, node=self._node, file=file, open_store=self._open_store)

    def _delivery(self) -> DeliveryFollower:
        return DeliveryFollower(
            self._source,
            self._signer,
            place=self._options.deliver or "",
            minutes=self._options.deliver_minutes,
            digest_minutes=self._options.digest_minutes,
            trouble=self._reporting("delivery"),
        )

    def _shipping(self, place: str) -> ShippingFollower:
        """Return the follower that ships the streams as this node has them, other nodes' too."""
        return ShippingFollower(
            self._source,
            place=place,
            shelf=lambda: shelf_at(place, os.environ),
            key=lambda: shipping_key(self._layout),
            seconds=self._options.ship_seconds,
            draw=os.urandom,
        )

    def _receivers(self) -> Iterator[Follower]:
        """Yield the receivers of events, each under the name that its place is noted under."""
        options = self._options
        if options.notify_url is not None:
            secret = secret_in(Path(options.webhook_secret or ""))
            post = Webhook(read_receiver(options.notify_url), secret).post
            yield self._receiver("webhook", post)
        if options.notify_command is not None:
            words = tuple(shlex.split(options.notify_command))
            yield self._receiver("command", ReceivingCommand(words).post)

    def _receiver(self, name: str, post: Callable[[bytes, str], None]) -> Follower:
        audit = self._source.audit

        def notifier(keys: Keys) -> Notifier:
            return Notifier(
                audit,
                name,
                post=post,
                keys=keys,
                ahead_seconds=self._options.notify_days * DAY_SECONDS,
                storm_denials=self._options.denial_storm,
                now=time.time,
                trouble=self._reporting(name),
                source=self._source,
            )

        def follower() -> NoticeFollower:
            return NoticeFollower(
                name, self._source, keys=lambda: KeyWatch(self._layout.store), notifier=notifier
            )

        receiver = self._once(name, state_file(audit, name), follower)
        try:
            # Before anybody hears that we serve: events from then on are announced.
            begin_at_end(audit, state_file(audit, name))
        except OSError as problem:
            self._trouble(name, str(problem))
        return receiver

    def _open_store(self) -> AdminStore:
        return new_store(self._layout)

    def _checkpoints(self) -> Checkpoints | None:
        options = self._options
        if options.checkpoints is None:
            return None
        place = options.checkpoints
        if self._is_shared:  # each node has a chain of digests of its own
            place = place_of_node(place, self._node)
        return checkpoints_at(
            place,
            secret=None if options.webhook_secret is None else Path(options.webhook_secret),
            lock_days=options.checkpoint_lock_days,
            environment=os.environ,
            now=time.time,
        )

    def _key(self) -> AuditKey:
        with opened(self._layout.data, read_only=True) as deployment:
            key = stored_audit_key(deployment.store)
        if key is None:
            raise Unusable("there is no audit key")
        return key
