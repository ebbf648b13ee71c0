"""`kagimori clock`: the time that a running `kagimori dev` goes by."""

import json
import re
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from kagimori.settings.serving import DEFAULT_LISTEN
from kagimori_cli.terminal import Output, OutputOption, give_up, print_json

CLOCK_PATH: Final = "/_kagimori/clock"
_SECONDS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PART: Final = re.compile(r"(\d{1,6})([dhms])", re.ASCII)
_TIME: Final = re.compile(r"(?:\d{1,6}[dhms])+", re.ASCII)

clock = typer.Typer(
    help="Move the clock of a running `kagimori dev`.", no_args_is_help=True, add_completion=False
)

Endpoint = Annotated[
    str, typer.Option(envvar="AWS_ENDPOINT_URL", metavar="URL", help="Where it is ready at.")
]


@clock.command(epilog="Example: kagimori clock advance 8d --endpoint http://127.0.0.1:8567")
def advance(
    time: Annotated[str, typer.Argument(metavar="TIME", help="8d, 12h, 30m, 45s or 1d12h.")],
    endpoint: Endpoint = f"http://{DEFAULT_LISTEN}",
    output: OutputOption = Output.TEXT,
) -> None:
    """Move the clock forward; it goes on from there."""
    answer = _ask(endpoint, {"advance_seconds": _seconds(time)})
    _show(answer, output)


@clock.command(epilog="Example: kagimori clock show --endpoint http://127.0.0.1:8567")
def show(
    endpoint: Endpoint = f"http://{DEFAULT_LISTEN}", output: OutputOption = Output.TEXT
) -> None:
    """Print the server's time."""
    _show(_ask(endpoint, None), output)


def _seconds(time: str) -> int:
    if not _TIME.fullmatch(time):
        give_up(f"a time is like 8d, 12h, 30m, 45s or 1d12h, not {time!r}")
    return sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(time))


def _ask(endpoint: str, body: dict[str, Any] | None) -> dict[str, Any]:
    if not endpoint.startswith(("http://", "https://")):
        give_up(f"an endpoint is an http URL, not {endpoint!r}")
    url = endpoint.rstrip("/") + CLOCK_PATH
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(url, data, timeout=10) as answer:  # noqa: S310 - see above
            found: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as refused:
        refused.close()
        if refused.code == 404:  # noqa: PLR2004 - a server of the safe kind
            give_up(f"{endpoint} has no clock to move: that is for `kagimori dev`")
        give_up(f"{endpoint} answered {refused.code}")
    except (OSError, ValueError) as problem:
        give_up(f"{endpoint} does not answer: {problem}")
    return found


def _show(answer: dict[str, Any], output: Output) -> None:
    if output is Output.JSON:
        print_json(answer)
        return
    moment = datetime.fromtimestamp(answer["now"], UTC)
    typer.echo(f"It is {moment.isoformat(sep=' ', timespec='seconds')} there.")
