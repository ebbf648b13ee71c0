"""Disks and clocks that tests disturb while a server runs: the server itself knows nothing of it.

A disk refuses, delays and records by a library between the server and its files (disturbed.c),
which needs a C compiler. A clock is moved by a `sitecustomize` that every process of a server
imports, the HSM too.
"""

import mmap
import os
import shutil
import struct
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("disturbed.c")
_CONTROL = struct.Struct("<ii256s")
_SITE = """
import mmap, struct, time
from pathlib import Path

with Path(__file__).with_name("offset").open("rb") as _file:
    _offset = mmap.mmap(_file.fileno(), 8, prot=mmap.PROT_READ)
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + struct.unpack("<d", _offset[:8])[0]
time.time_ns = lambda: _time_ns() + int(struct.unpack("<d", _offset[:8])[0] * 1e9)
"""


@cache
def _library():
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="kagimori-disturbed-"))
    library = folder / "disturbed.so"
    built = [compiler, "-O2", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"]
    return library if subprocess.run(built, capture_output=True).returncode == 0 else None


class Disk:
    """What a server's files go through; `environment` is for the server that is to go through it."""

    def __init__(self, folder, beside):
        library = _library()
        if library is None:
            pytest.skip("there is no C compiler here")
        control = beside / "disk-control"
        control.write_bytes(bytes(4096))
        with control.open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), 4096)
        self.log = beside / "disk-log"
        self.environment = {
            "LD_PRELOAD": str(library),
            "DISTURBED_FOLDER": str(folder),
            "DISTURBED_CONTROL": str(control),
        }

    def recorded(self):
        """Return the environment with which everything is recorded in `log`."""
        return {**self.environment, "DISTURBED_LOG": str(self.log)}

    def refuse(self, error, match=""):
        """Answer every write, sync and new file with this errno, if its path contains `match`."""
        _CONTROL.pack_into(self._control, 0, error, 0, match.encode())

    def delay(self, seconds, match=""):
        """Let every write and sync take so much longer."""
        _CONTROL.pack_into(self._control, 0, 0, int(seconds * 1e6), match.encode())

    def obey(self):
        """Disturb nothing any more."""
        _CONTROL.pack_into(self._control, 0, 0, 0, b"")


class MovedClock:
    """A clock that all processes of a server go by; `environment` is for the server."""

    def __init__(self, beside):
        folder = beside / "clock"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(_SITE)
        (folder / "offset").write_bytes(bytes(8))
        with (folder / "offset").open("r+b") as file:
            self._offset = mmap.mmap(file.fileno(), 8)
        before = os.environ.get("PYTHONPATH")
        self.environment = {"PYTHONPATH": f"{folder}:{before}" if before else str(folder)}

    def jump(self, seconds):
        """Put the clock so far ahead of the machine's, or behind."""
        struct.pack_into("<d", self._offset, 0, seconds)
