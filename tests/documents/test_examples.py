"""The examples run, as they are, against a server."""

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(server, name, *arguments):
    return subprocess.run(
        [sys.executable, EXAMPLES / name, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env=server.environment(),
    )


def test_envelope(server, key, tmp_path):
    letter = tmp_path / "letter.txt"
    letter.write_bytes(b"Dear reader, " * 100_000)
    done = example(server, "envelope.py", key, letter)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
    sealed = Path(f"{letter}.sealed").read_bytes()
    assert b"Dear reader" not in sealed
    assert len(sealed) < letter.stat().st_size + 300


def test_envelope_is_short():
    assert len((EXAMPLES / "envelope.py").read_text().splitlines()) < 40


def test_envelope_needs_its_key(server, kms, key, tmp_path):
    kms.disable_key(KeyId=key)
    letter = tmp_path / "letter.txt"
    letter.write_bytes(b"x")
    done = example(server, "envelope.py", key, letter)
    assert done.returncode != 0
    assert f"{key} is disabled." in done.stderr
