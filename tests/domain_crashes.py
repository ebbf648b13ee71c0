"""Lives of domain keys, each ended by SIGKILL before one of its SQL statements: `python domain_crashes.py`.

A life is a keeper of domain keys with a store and an HSM, from a rotation over wrapping anew and a
second rotation to the destruction of what is old; keys are made on the way. A process forks for each.
A line of JSON in, `{"folder": DIR, "kill_at": N or null}`, one out: `{"killed": bool, "statements": N}`.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from domain_world import DAY, DomainWorld

CIPHERTEXTS = "ciphertexts.jsonl"


class Life(DomainWorld):
    """A world that notes each ciphertext before its key is committed."""

    def key_to_be(self, *arguments):
        kms_key = super().key_to_be(*arguments)
        named = (kms_key.region, kms_key.key_id)
        line = json.dumps([*named, self.ciphertexts[named].hex()]) + "\n"
        with (self.folder / CIPHERTEXTS).open("a") as file:
            file.write(line)
        return kms_key

    def remember(self):
        """Read the ciphertexts that were noted in this folder, by whichever process."""
        for line in (self.folder / CIPHERTEXTS).read_text().splitlines():
            region, key_id, blob = json.loads(line)
            self.ciphertexts[region, key_id] = bytes.fromhex(blob)
            self.made = max(self.made, int(key_id.removeprefix("key-")))
        self.made += 1000 * (1 + self.made // 1000)
        return self

    async def live(self):
        """Rotate, wrap anew, rotate again, and let the old ones be destroyed."""
        self.now += DAY
        await self.settle(6)
        await self.make_key()
        self.now += DAY
        await self.settle(6)
        for _ in range(3):
            self.now += 2 * DAY
            await self.make_key()
            await self.settle(12)


async def begin(folder):
    """Make the deployment that all lives start from."""
    world = await Life(folder).begin()
    await world.make_one_of_each()
    await world.make_key()
    world.close()


async def _live(folder, kill_at, pipe):
    world, count = Life(folder).remember(), 0
    world.restart_hsm()

    def reach(_):
        nonlocal count
        count += 1
        if count == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    world.store._writer._connection.set_trace_callback(reach)
    await world.live()
    os.write(pipe, str(count).encode())


def main():
    for line in sys.stdin:
        life = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            try:
                asyncio.run(_live(Path(life["folder"]), life["kill_at"], writing))
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as answer:
            count = answer.read()
        os.waitpid(child, 0)
        print(json.dumps({"killed": not count, "statements": int(count or 0)}), flush=True)


if __name__ == "__main__":
    main()
