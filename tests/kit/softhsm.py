"""PKCS#11 tokens for tests: SoftHSM 2 with its tokens in a temporary folder."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pkcs11
import pytest

from kagimori_boundary.token_options import TokenOptions

MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
)
MODULE = next((path for path in MODULES if Path(path).exists()), None)
PIN, SO_PIN = "user pin 1", "officer pin"
needs_softhsm = pytest.mark.skipif(
    MODULE is None or shutil.which("softhsm2-util") is None,
    reason="SoftHSM 2 is not installed (Debian: softhsm2)",
)


class SoftTokens(NamedTuple):
    """A folder with SoftHSM's configuration and tokens."""

    folder: Path

    @property
    def environment(self):
        return {"SOFTHSM2_CONF": str(self.folder / "softhsm2.conf")}

    @property
    def tokens(self):
        return self.folder / "tokens"

    def add(self, label, pin=PIN):
        """Make a token; return its PIN's file."""
        subprocess.run(
            [
                *("softhsm2-util", "--init-token", "--free", "--label", label),
                *("--pin", pin, "--so-pin", SO_PIN),
            ],
            env={**os.environ, **self.environment},
            check=True,
            capture_output=True,
        )
        return self.pin_file(label, pin)

    def pin_file(self, label, pin):
        file = self.folder / f"{label}.pin"
        file.write_text(f"{pin}\n")
        file.chmod(0o600)
        return file

    def take_away(self):
        """Take all tokens away, as if their device were unplugged."""
        self.tokens.rename(self.folder / "away")

    def bring_back(self):
        (self.folder / "away").rename(self.tokens)

    def options(self, label, **more):
        return TokenOptions(
            name=label,
            socket_path=str(self.folder / f"{label}.sock"),
            module=MODULE,
            pin_file=str(self.folder / f"{label}.pin"),
            label=label,
            reads_and_writes=(str(self.folder),),
            **more,
        )


def soft_tokens(folder, *labels):
    """Return tokens of these labels in a folder."""
    made = SoftTokens(folder)
    made.tokens.mkdir(parents=True)
    (folder / "softhsm2.conf").write_text(
        f"directories.tokendir = {made.tokens}\nobjectstore.backend = file\n"
        "log.level = ERROR\nslots.removable = false\n"
    )
    for label in labels:
        made.add(label)
    return made


def load_anew(path):
    """Load the library as a new process would: it reads its configuration again."""
    library = pkcs11.lib(path)
    library.reinitialize()
    return library
