"""The servers that are measured, each in processes of its own, started and ended here."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

from machine import Processes, children_of
from signing import Signer

REGION = "us-east-1"
START_SECONDS_MAX = 30.0
LOCAL_KMS = "github.com/nsmithuk/local-kms@v0.0.0-20260228092603-2a5e92d09ab6"


class Server:
    """A started server; a context manager that ends it."""

    checks_policies = False

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self.url = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)

    def processes(self) -> Processes:
        return Processes({"server": self.process.pid})

    def signer(self) -> Signer:
        return Signer(self.url, "AKIAIOSFODNN7EXAMPLE", "any", REGION)

    def _said(self) -> str:
        """Return the last word of the line the server prints when it is ready."""
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise SystemExit(f"{self.process.args} did not start")
        return line.split()[-1]


class Kagimori(Server):
    """`kagimori serve` on a new deployment, as a user starts it: one worker, one HSM."""

    checks_policies = True

    def __init__(
        self,
        data: Path,
        init_options: tuple[str, ...] = (),
        options: tuple[str, ...] = (),
        *,
        made: dict[str, str] | None = None,
    ) -> None:
        """Start the server of a new deployment, or of the one that was `made` there before."""
        command = str(Path(sys.executable).with_name("kagimori"))
        if made is None:
            done = subprocess.run(
                [command, "init", "--data", str(data), *init_options, "--output", "json"],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
            made = json.loads(done.stdout)
        self.made: dict[str, str] = made
        self.account_id = self.made["account_id"]
        self._data = data
        began = time.perf_counter()
        super().__init__(
            [command, "serve", "--data", str(data), "--listen", "127.0.0.1:0", *options]
        )
        self.url = self._said()
        self.seconds_to_ready = time.perf_counter() - began

    def pids(self) -> dict[str, int]:
        """Return the processes by name."""
        running = json.loads((self._data / "run" / "server.json").read_text())
        found = {"supervisor": running["pid"], **running["processes"]}
        for child in children_of(found["hsm"]):
            found["RSA checker"] = child
        return found

    def processes(self) -> Processes:
        return Processes(self.pids())

    def signer(self) -> Signer:
        made = self.made
        return Signer(self.url, made["access_key_id"], made["secret_access_key"], made["region"])


class Echo(Server):
    """The front door with nothing behind it: see echo.py."""

    def __init__(self) -> None:
        super().__init__([sys.executable, str(Path(__file__).with_name("echo.py"))])
        self.url = self._said()


class Moto(Server):
    """moto's server mode, as its documentation starts it."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = str(Path(sys.executable).with_name("moto_server"))
        super().__init__([command, "-p", str(port)])
        self.url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit("moto_server did not start")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/moto-api/", timeout=1):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False


class LocalKms(Server):
    """local-kms, the emulator in Go: it encrypts, and checks and records nothing.

    Built from its published module on first use, which needs Go and a network; the build is kept
    in the user's cache folder.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        super().__init__([str(_built_local_kms()), str(folder)])
        self.url = self._said()

    @staticmethod
    def is_possible() -> bool:
        """Whether Go is there to build it with."""
        return shutil.which("go") is not None


def _built_local_kms() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kagimori-bench"
    program = cache / LOCAL_KMS.rpartition("@")[2] / "local-kms"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(__file__).with_name("local_kms") / "main.go", program.parent)
        for step in (["mod", "init", "bench"], ["get", LOCAL_KMS], ["build", "-o", program.name]):
            subprocess.run(["go", *step], cwd=program.parent, check=True, capture_output=True)
    return program
