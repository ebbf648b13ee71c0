"""Keep the process's memory to itself, as far as the platform allows.

What Python cannot promise: keys live in immutable objects of the interpreter and cannot be wiped;
they are freed, and their pages stay in this process until reused (docs/understand/security.md).
"""

import ctypes
import resource
import sys
from typing import Final

_PR_SET_DUMPABLE: Final = 4
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4


def protect() -> bool:
    """Forbid core dumps and debuggers; return whether memory was locked out of the swap."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    # Not dumpable means not debuggable either: /proc/PID/mem and ptrace are for root alone.
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft != resource.RLIM_INFINITY and not _may_lock_without_limit():
        # With a small limit, locking what is to come would turn growth into crashes.
        return False
    return bool(libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) == 0)


def _may_lock_without_limit() -> bool:
    cap_ipc_lock = 14
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123
        for line in status:
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> cap_ipc_lock & 1)
    return False
