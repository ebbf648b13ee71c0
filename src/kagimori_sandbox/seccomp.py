"""Seccomp: system calls that this process will never make again.

New sockets, new programs and other processes' memory are refused with EPERM. What is open stays
open. On architectures that are not in the table nothing is done, and the caller gets False.

Source: Linux kernel documentation, "Seccomp BPF".
"""

import ctypes
import platform
import struct
import sys
from collections.abc import Mapping
from typing import Final, NamedTuple

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 38, 22
_MODE_FILTER: Final = 2
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050001  # SECCOMP_RET_ERRNO | EPERM
_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_GREATER, _RETURN = 0x20, 0x15, 0x25, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4  # in struct seccomp_data


class _Architecture(NamedTuple):
    """`code` is AUDIT_ARCH_*; `numbers` are of the calls refused; `last` is the greatest valid."""

    code: int
    last: int
    numbers: Mapping[str, int]


_ARCHITECTURES: Final[Mapping[str, _Architecture]] = {
    "x86_64": _Architecture(
        0xC000003E,
        0x3FFFFFFF,  # above are the same calls under the x32 convention
        {
            "socket": 41,
            "execve": 59,
            "execveat": 322,
            "ptrace": 101,
            "process_vm_readv": 310,
            "process_vm_writev": 311,
            "bpf": 321,
            "io_uring_setup": 425,
        },
    ),
    "aarch64": _Architecture(
        0xC00000B7,
        0x7FFFFFFF,
        {
            "socket": 198,
            "execve": 221,
            "execveat": 281,
            "ptrace": 117,
            "process_vm_readv": 270,
            "process_vm_writev": 271,
            "bpf": 280,
            "io_uring_setup": 425,
        },
    ),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse_sockets_and_programs() -> bool:
    """Make no more sockets and start no more programs; return whether that holds now."""
    return _refuse(frozenset())


def refuse_programs() -> bool:
    """Start no more programs, but make sockets; return whether that holds now."""
    return _refuse(frozenset({"socket"}))


def _refuse(but: frozenset[str]) -> bool:
    architecture = _ARCHITECTURES.get(platform.machine())
    if sys.platform != "linux" or architecture is None:
        return False
    steps = _filter(architecture, but)
    program = _Program(len(steps) // 8, steps)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return bool(libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0) == 0)


def _filter(architecture: _Architecture, but: frozenset[str]) -> bytes:
    """Return the program that looks at each system call: refused, or allowed."""
    numbers = sorted(number for name, number in architecture.numbers.items() if name not in but)
    checks = len(numbers)
    steps = [
        _step(_LOAD, _ARCHITECTURE_AT),
        _step(_JUMP_IF_EQUAL, architecture.code, 0, checks + 3),
        _step(_LOAD, _NUMBER_AT),
        _step(_JUMP_IF_GREATER, architecture.last, checks + 1, 0),
        *(_step(_JUMP_IF_EQUAL, number, checks - at, 0) for at, number in enumerate(numbers)),
        _step(_RETURN, _ALLOW),
        _step(_RETURN, _REFUSE),
    ]
    return b"".join(steps)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
