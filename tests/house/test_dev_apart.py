"""What makes `kagimori dev` unsafe is not there in what `kagimori serve` starts."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
STARTED = ("kagimori.server.serving", "kagimori.__main__", "kagimori_hsm.__main__")
OUTSIDE = sorted(
    path for path in SOURCE.glob("kagimori/**/*.py") if "kagimori/dev/" not in str(path)
)


@pytest.mark.parametrize("module", STARTED)
def test_a_process_of_serve_loads_nothing_of_dev(module):
    code = (
        f"import importlib, sys; importlib.import_module({module!r});"
        "print(sorted(name for name in sys.modules if name.startswith('kagimori.dev')))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_else_names_its_modules_to_load_them_later(path):
    text = path.read_text()
    assert not re.search(r"kagimori\.dev\b(?!`)", text.replace("`kagimori.dev`", ""))
