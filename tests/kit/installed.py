"""The HSM's packages as an installer leaves them: copies, and the record of their files."""

import base64
import hashlib
import shutil
from pathlib import Path

import kagimori_hsm

SOURCES = Path(kagimori_hsm.__file__).parents[1]
PACKAGES = ("kagimori_hsm", "kagimori_boundary", "kagimori_sandbox")


def install(root, *others):
    """Put the packages into `root` with a record; an HSM finds them there by PYTHONPATH."""
    for package in (*PACKAGES, *others):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(SOURCES / package, root / package, ignore=ignored)
    lines = []
    for file in sorted(root.rglob("*")):
        if file.is_file():
            content = file.read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode()
            name = file.relative_to(root).as_posix()
            lines.append(f"{name},sha256={digest.rstrip('=')},{len(content)}")
    (root / "kagimori-0.1.0.dist-info").mkdir()
    (root / "kagimori-0.1.0.dist-info" / "RECORD").write_text("\n".join(lines) + "\n")
    return len(lines)
