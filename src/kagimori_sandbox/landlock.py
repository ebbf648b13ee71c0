"""Landlock: this thread, and those it starts, keep access to the paths named here and to no other.

Descriptors that are open already stay good. It holds for root as well, and keeps a process from
tracing, and from sending signals to, any that is not confined like it. Where the kernel has no
Landlock nothing is done, and the caller gets False.

Source: Linux kernel documentation, "Landlock: unprivileged access control" (userspace API).
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from enum import IntFlag
from pathlib import Path
from typing import Final

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION_ASKED: Final = 1
_RULE_PATH_BENEATH: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_NETWORK_FROM, _SCOPES_FROM = 4, 6  # the versions of Landlock that have them
_BIND_TCP, _CONNECT_TCP = 1, 2
_ABSTRACT_SOCKETS, _SIGNALS = 1, 2


class _Files(IntFlag):
    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14


_FIRST: Final = _Files((1 << 13) - 1)
_READ: Final = _Files.EXECUTE | _Files.READ_FILE | _Files.READ_DIR
_WRITE: Final = (
    _Files.READ_FILE
    | _Files.READ_DIR
    | _Files.WRITE_FILE
    | _Files.TRUNCATE
    | _Files.MAKE_REG
    | _Files.MAKE_DIR
    | _Files.REMOVE_FILE
    | _Files.REMOVE_DIR
)
_OF_ONE_FILE: Final = _Files.EXECUTE | _Files.READ_FILE | _Files.WRITE_FILE | _Files.TRUNCATE


def confine(
    *,
    readable: Iterable[Path] = (),
    writable: Iterable[Path] = (),
    listable: Iterable[Path] = (),
    hidden: Sequence[Path] = (),
    connects: bool = False,
    signals: bool = False,
) -> bool:
    """Keep reading and running what is beneath `readable`, and writing beneath `writable`.

    Folders beneath `listable` are opened to list and to sync them, and nothing in them is read.
    `hidden` is left out wherever it is; paths that do not exist are, too. TCP ports are not
    listened on any more, and with `connects` alone others are connected to; with `signals` alone
    processes that are not confined are sent signals. Returns whether it holds now; call it before
    the process has other threads, which would go on as they were.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_ASKED)
    if version < 1:
        return False
    handled = _handled(version)
    ports = 0
    if version >= _NETWORK_FROM:
        ports = _BIND_TCP if connects else _BIND_TCP | _CONNECT_TCP
    scopes = 0
    if version >= _SCOPES_FROM:
        scopes = _ABSTRACT_SOCKETS if signals else _ABSTRACT_SOCKETS | _SIGNALS
    attributes = struct.pack("=QQQ", handled, ports, scopes)
    # An older kernel takes the longer form as long as what it does not know is zero.
    ruleset = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return False
    try:
        for paths, access in ((readable, _READ), (writable, _WRITE)):
            for path in _without(paths, [one.resolve() for one in hidden]):
                _allow(libc, ruleset, path, access & handled)
        for path in listable:
            _allow(libc, ruleset, path, _Files.READ_DIR)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def runtime_paths() -> list[Path]:
    """Return the paths that a Python process reads for as long as it runs."""
    trusted = (os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    found = {*program_paths(), *map(Path, ("/etc", "/proc/self", "/sys"))}
    return sorted({*found, *map(Path, filter(None, trusted))})


def program_paths() -> list[Path]:
    """Return the paths from which a Python process loads code for as long as it runs."""
    system = ("/usr", "/lib", "/lib64", "/dev/null", "/dev/urandom")
    # Not all of sys.path: the working folder stands in it, wherever that is.
    ours = str(Path(__file__).resolve().parents[1])
    return [Path(path) for path in sorted({*system, sys.prefix, sys.base_prefix, ours})]


def _without(paths: Iterable[Path], hidden: Sequence[Path]) -> Iterator[Path]:
    """Yield the paths; for one that holds something hidden, what is beside that."""
    for path in map(Path.resolve, paths):
        if path in hidden:
            continue
        if path.is_dir() and any(one.is_relative_to(path) for one in hidden):
            yield from _without(path.iterdir(), hidden)
        else:
            yield path


def _handled(version: int) -> _Files:
    handled = _FIRST
    if version >= 2:  # noqa: PLR2004 - the kernel's own numbers
        handled |= _Files.REFER
    if version >= 3:  # noqa: PLR2004
        handled |= _Files.TRUNCATE
    return handled


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, access: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not path.is_dir():
            access &= _OF_ONE_FILE
        rule = struct.pack("=Qi", access, beneath)
        libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(beneath)
