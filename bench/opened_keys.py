"""The memory that opened backing keys take in the HSM: 100,000 keys used in turn.

    .venv/bin/python bench/opened_keys.py [KEY_SPEC [HOW_MANY]]

In one process, with the HSM's own module: each key has material of its own where that is quickly
made (symmetric and HMAC keys), else all share one, which takes the same memory.
"""

import os
import sys
import time
from pathlib import Path

import msgspec

from kagimori_boundary import commands
from kagimori_boundary.commands import BoundToken, Role
from kagimori_boundary.key_specs import SPECS, Family, KeyUsage
from kagimori_boundary.replies import Failed
from kagimori_hsm.algorithms import dispatch
from kagimori_hsm.module import Module

ACCOUNT, REGION, MIB = "111122223333", "us-east-1", 2**20


def main(spec: str = "SYMMETRIC_DEFAULT", how_many: str = "100000") -> None:
    module = Module(os.urandom(32), memory_locked=False, self_tests=list)
    module.self_test()
    module.perform(Role.OPERATOR, commands.CreateDomains(["identity", REGION]))
    usage = SPECS[spec].usages[0]
    shared = dispatch.generate(spec)
    use(module, spec, usage, shared, "first")
    before, began, count = resident(), time.perf_counter(), int(how_many)
    for number in range(count):
        is_cheap = SPECS[spec].family in (Family.SYMMETRIC, Family.MAC)
        material = dispatch.generate(spec) if is_cheap else shared
        use(module, spec, usage, material, f"{number:08x}-0000-4000-8000-000000000000")
    opened = module._keys._opened  # noqa: SLF001 - the structure that is measured
    after = resident()
    print(
        f"{spec}: {count:,} keys in turn, {len(opened):,} kept ({opened.kib / 1024:.0f} MiB as "
        f"counted); resident {before / MIB:.0f} MiB before, {after / MIB:.0f} MiB after; "
        f"{(after - before) / 1024 / len(opened):.1f} KiB each; "
        f"{(time.perf_counter() - began) / count * 1e6:.0f} us a key"
    )


def use(module: Module, spec: str, usage: KeyUsage, material: bytes, key_id: str) -> None:
    bound = BoundToken(ACCOUNT, REGION, key_id, spec, usage, "AWS_KMS", os.urandom(32), b"")
    bound = msgspec.structs.replace(bound, key_token=module._keys.wrap(bound, material))  # noqa: SLF001
    token = msgspec.msgpack.encode(bound)
    algorithm = SPECS[spec].algorithms[usage][0]
    kinds = {
        KeyUsage.ENCRYPT_DECRYPT: lambda: commands.Encrypt(token, algorithm, b"x", {}),
        KeyUsage.SIGN_VERIFY: lambda: commands.Sign(token, algorithm, "RAW", b"x"),
        KeyUsage.GENERATE_VERIFY_MAC: lambda: commands.GenerateMac(token, algorithm, b"x"),
        KeyUsage.ENCAPSULATE_DECAPSULATE: lambda: commands.Encapsulate(token, algorithm),
    }
    reply = module.perform(Role.WORKER, kinds[usage]())
    if isinstance(reply, Failed):
        raise SystemExit(f"{spec}: {reply.failure.name}")


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main(*sys.argv[1:])
