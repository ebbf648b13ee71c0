"""A load: requests that are ready as bytes, sent by wrk one after the other."""

import json
import resource
import subprocess
import tempfile
from dataclasses import dataclass

_SCRIPT = """
local at = 0
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\\nRESULT {"requests":%%d,"microseconds":%%d,"p50":%%d,"p99":%%d,"errors":%%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.status + e.connect + e.read + e.write + e.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """Whole HTTP requests, in ASCII."""

    requests: list[bytes]

    def script(self) -> str:
        # JSON's escapes are Lua's as well, as long as nothing needs `\\u`.
        texts = ",\n".join(json.dumps(request.decode("ascii")) for request in self.requests)
        return f"requests = {{\n{texts}\n}}\n{_SCRIPT.replace('%%', '%')}"


@dataclass(frozen=True)
class Result:
    """What wrk saw. `errors` are answers of 400 and above, and broken connections.

    `load_cpu_seconds` is what wrk itself used.
    """

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int
    load_cpu_seconds: float


def run_load(url: str, load: Load, *, connections: int, seconds: int) -> Result:
    """Send a load for some seconds over that many connections, each with one request at a time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.NamedTemporaryFile("w", suffix=".lua", encoding="ascii") as script:
        script.write(load.script())
        script.flush()
        done = subprocess.run(
            [
                *("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"),
                *("-s", script.name, url),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    found = json.loads(line.removeprefix("RESULT "))
    return Result(
        found["requests"],
        found["microseconds"] / 1e6,
        found["p50"] / 1e3,
        found["p99"] / 1e3,
        found["errors"],
        after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime,
    )
