"""`kagimori audit tail` and `search`: records for people, and for programs."""

import json
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from kagimori.trail import reading
from kagimori_cli.admin import EndpointUrl, Folder, refusals_explained, server_for
from kagimori_cli.records import HEADINGS, WHOLE, cells
from kagimori_cli.table import console, print_table
from kagimori_cli.terminal import EXIT_UNREADABLE, Output, OutputOption, unreadable
from kagimori_cli.times import moment
from kagimori_client.admin import AdminClient

TAIL_LINES: Final = 20
PAGE: Final = 1000
FOLLOW_SECONDS: Final = 1.0

Key = Annotated[str | None, typer.Option(metavar="K", help="Key id or ARN.")]
Who = Annotated[
    str | None, typer.Option(metavar="USER", help="User, session, ARN or access key id; root.")
]
Event = Annotated[str | None, typer.Option(metavar="NAME", help="Like Decrypt.")]
Failed = Annotated[bool, typer.Option("--failed", help="Refusals only.")]
Time = Annotated[
    str | None, typer.Option(metavar="T", help="2d, 12h, 30m (ago), a date or an ISO 8601 time.")
]


def tail(
    data: Folder = None,
    endpoint: EndpointUrl = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as records come.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0)] = TAIL_LINES,
    key: Key = None,
    who: Who = None,
    event: Event = None,
    failed: Failed = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show the newest records. With `--follow`, all that come but those of its own requests."""
    server = server_for(data, endpoint, exit_code=EXIT_UNREADABLE)
    with refusals_explained(exit_code=EXIT_UNREADABLE), _ended_by_reader():
        source = _Source(server, data or Path(), key=key, who=who, event=event, failed=failed)
        # The end is found before what is there is shown, so that nothing falls between.
        coming = source.coming() if follow else None
        _print(source.newest(lines), output)
        if coming is not None:
            _print_lines(coming, output)


def search(
    data: Folder = None,
    endpoint: EndpointUrl = None,
    *,
    key: Key = None,
    who: Who = None,
    event: Event = None,
    failed: Failed = False,
    since: Time = None,
    until: Time = None,
    newest: Annotated[int | None, typer.Option(min=1, help="So many at most.")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Find records. With `--output json`, each is one line, as it was recorded."""
    begin, end = time_option(since), time_option(until)
    server = server_for(data, endpoint, exit_code=EXIT_UNREADABLE)
    with refusals_explained(exit_code=EXIT_UNREADABLE), _ended_by_reader():
        source = _Source(
            server,
            data or Path(),
            key=key,
            who=who,
            event=event,
            since=begin,
            until=end,
            failed=failed,
        )
        _print(source.all() if newest is None else source.newest(newest), output)


def time_option(text: str | None) -> float | None:
    """Return the time that an option names; end if the text is no time."""
    try:
        return None if text is None else moment(text, time.time())
    except ValueError as reason:
        unreadable(str(reason))


class _Source:
    """Records (JSON) that match, from a server or from a folder."""

    def __init__(
        self,
        server: AdminClient | None,
        data: Path,
        *,
        key: str | None,
        who: str | None,
        event: str | None,
        failed: bool,
        since: float | None = None,
        until: float | None = None,
    ) -> None:
        self._server, self._data = server, data
        self._offline: dict[str, Any] = {
            "key": key,
            "who": who,
            "event": event,
            "failed": failed,
            "since": since,
            "until": until,
        }
        self._members: dict[str, Any] = {
            "KeyId": key,
            "Caller": who,
            "EventName": event,
            "FailedOnly": failed or None,
            "StartTime": since,
            "EndTime": until,
        }

    def all(self) -> Iterator[str | bytes]:
        """Yield all of them, oldest first."""
        if self._server is None:
            yield from reading.records(self._data, **self._offline)
            return
        for page in self._server.pages("SearchEvents", MaxResults=PAGE, **self._members):
            yield from _records_of(page)

    def newest(self, count: int) -> Iterator[str | bytes]:
        """Yield the newest so many, oldest first."""
        if self._server is None:
            yield from deque(self.all(), maxlen=count)
            return
        found: list[str | bytes] = []
        members = {**self._members, "Order": "NEWEST_FIRST", "MaxResults": max(1, min(count, PAGE))}
        for page in self._server.pages("SearchEvents", **members) if count else ():
            found += _records_of(page)
            if len(found) >= count:
                break
        yield from reversed(found[:count])

    def coming(self) -> Iterator[str | bytes]:
        """Return an iterator, without end, over those that come from now on."""
        if self._server is None:
            return reading.coming_records(self._data, **self._offline)
        answer = self._server.call("SearchEvents", StartAtEnd=True, **self._members)
        return self._coming(self._server, answer.get("PositionToken"))

    def _coming(self, server: AdminClient, token: str | None) -> Iterator[str | bytes]:
        while True:
            page = server.call("SearchEvents", NextToken=token, MaxResults=PAGE, **self._members)
            yield from (one for one in _records_of(page) if not _is_own(server, one))
            token = page.get("NextToken")
            if token is None:
                token = page.get("PositionToken")
                time.sleep(FOLLOW_SECONDS)


def _is_own(server: AdminClient, record: str) -> bool:
    """Return whether this command's own asking made the record: it would find itself for ever."""
    return json.loads(record).get("requestID") in server.request_ids


def _records_of(page: dict[str, Any]) -> Iterator[str]:
    for event in page["Events"]:
        yield event["CloudTrailEvent"]


def _print(records: Iterable[str | bytes], output: Output) -> None:
    if output is Output.JSON:
        _print_lines(records, output)
    else:
        print_table(HEADINGS, (cells(record) for record in records), whole=WHOLE)


def _print_lines(records: Iterable[str | bytes], output: Output) -> None:
    lines = console()
    for record in records:
        if output is Output.JSON:
            typer.echo(record)
        else:
            lines.print(Text("  ").join(cells(record)), soft_wrap=True)
        sys.stdout.flush()


class _ended_by_reader:  # noqa: N801 - used as a statement
    """End in order when the reader of a pipe closes it."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt | BrokenPipeError):
            raise typer.Exit(0) from None
