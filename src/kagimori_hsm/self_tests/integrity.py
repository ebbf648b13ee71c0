"""Integrity of the program: its files against the records that were written when it was installed.

An installer puts a list of all files with their digests beside a package (`RECORD`). The packages
of Kagimori are held against theirs, and so are the libraries that compute: `cryptography`, with
OpenSSL in it, and PyNaCl, with libsodium. A file that is not listed, and could be imported, fails
as well. In a source tree (`pip install -e`) there is no record of ours: that is said, and is no
failure.

It finds damage, and changes by hand. It is no defence against those who may write these files,
since they may write the record as well.

Source: Python Packaging User Guide, "Recording installed projects" (RECORD); FIPS 140-3
(ISO/IEC 19790), 7.10.2.2, pre-operational software integrity test.
"""

import base64
import csv
import hashlib
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import cryptography
import nacl

from kagimori_hsm.self_tests.failed import Passed, SelfTestFailed

# A package that is installed has a record; elsewhere it is a source tree.
_SITES: Final = ("site-packages", "dist-packages")
_IMPORTED: Final = (".py", ".so", ".pyd", ".pth")
_SOURCE: Final = "RECORD of the installed distribution"


class Distribution(NamedTuple):
    """A distribution as it is installed, and those of its folders that this process runs from.

    Installers write the name in one of two ways: as it is, or normalized.
    """

    name: str
    packages: tuple[str, ...]
    root: Path
    normalized: str = ""


OURS: Final = Distribution(
    "kagimori",
    ("kagimori_hsm", "kagimori_boundary", "kagimori_sandbox"),
    Path(__file__).resolve().parents[2],
)
LIBRARIES: Final = (
    Distribution("cryptography", ("cryptography",), Path(cryptography.__file__).parents[1]),
    Distribution("PyNaCl", ("nacl",), Path(nacl.__file__).parents[1], "pynacl"),
)


def check_integrity(
    distributions: tuple[Distribution, ...] = (OURS, *LIBRARIES),
) -> list[Passed]:
    """Hold the files of each distribution against its record; return what passed.

    Raises:
        SelfTestFailed: a file is another, is missing or is not listed; or the record is missing.
    """
    return [passed for one in distributions for passed in _check(one)]


def _check(distribution: Distribution) -> Iterator[Passed]:
    record = _record_of(distribution)
    if record is None:
        name = f"files of {distribution.name}: not checked"
        yield Passed(name, "runs from a source tree, without a record")
        return
    listed = dict(_listed(record, distribution))
    if not listed:
        raise SelfTestFailed(f"the record of {distribution.name} lists none of its files")
    for path, digest in listed.items():
        try:
            content = (distribution.root / path).read_bytes()
        except OSError:
            raise SelfTestFailed(f"{path} is in the record, and cannot be read") from None
        if hashlib.sha256(content).digest() != digest:
            raise SelfTestFailed(f"{path} is not what was installed")
    for path in _importable(distribution):
        if path not in listed:
            raise SelfTestFailed(f"{path} was not installed")
    yield Passed(f"files of {distribution.name}: {len(listed)}", _SOURCE)


def _record_of(distribution: Distribution) -> Path | None:
    """Return the record beside the packages; None in a source tree.

    Raises:
        SelfTestFailed: installed, and without a record.
    """
    folders = [
        folder
        for folder in distribution.root.glob("*.dist-info")
        if folder.name.partition("-")[0] in (distribution.name, distribution.normalized)
    ]
    records = [folder / "RECORD" for folder in folders if (folder / "RECORD").is_file()]
    if len(records) == 1:
        return records[0]
    is_site = distribution.root.name in _SITES or str(distribution.root) in _site_paths()
    if records or folders or is_site:
        raise SelfTestFailed(f"{distribution.name} is installed without one record of its files")
    return None


def _site_paths() -> frozenset[str]:
    return frozenset(sysconfig.get_path(name) for name in ("purelib", "platlib"))


def _listed(record: Path, distribution: Distribution) -> Iterator[tuple[str, bytes]]:
    """Yield path and digest of each file that the packages consist of."""
    try:
        with record.open(encoding="utf-8", newline="") as lines:
            for path, digest, _ in csv.reader(lines):
                kind, _, value = digest.partition("=")
                if kind == "sha256" and path.partition("/")[0] in distribution.packages:
                    yield path, base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except (OSError, ValueError, csv.Error):
        raise SelfTestFailed(f"the record of {distribution.name} cannot be read") from None


def _importable(distribution: Distribution) -> Iterator[str]:
    """Yield each file in the packages that Python would import, compiled copies left out."""
    for package in distribution.packages:
        for path in (distribution.root / package).rglob("*"):
            if path.suffix in _IMPORTED and path.is_file():
                yield path.relative_to(distribution.root).as_posix()
