"""The rate of a key in a PKCS#11 token through its process, beside the token's own.

.venv/bin/python bench/key_in_token.py

The token is SoftHSM 2 in a temporary folder. "alone" is one process that does nothing but call the
library through python-pkcs11. "through us" is what a worker sees: commands over the socket, so many
in flight at a time, each in its turn at the token.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kagimori.hsm.token_holder import TokenHolder
from kagimori.hsm.token_process import TokenProcess
from kagimori.pending import Pending
from kagimori_boundary import commands
from kagimori_boundary.commands import BoundToken
from kagimori_boundary.frames import encode
from kagimori_boundary.replies import Bytes, Failed, Failure, NewKey
from kagimori_boundary.token_options import TokenOptions

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "12345678"
ACCOUNT, KEY = "111122223333", "1234abcd-12ab-34cd-56ef-1234567890ab"
SYMMETRIC = "SYMMETRIC_DEFAULT"
SECONDS = 4.0
IN_FLIGHT = (1, 16, 64)
CONTEXT = {"purpose": "bench"}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="kagimori-token-") as name:
        folder = Path(name)
        environment = set_up(folder)
        alone = subprocess.run(
            [sys.executable, __file__, "alone"],
            env={**os.environ, **environment},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        encrypt, decrypt = map(float, alone)
        print("| what | in flight | a second | of the token alone |\n|---|---:|---:|---:|")
        print(f"| token alone, Encrypt | 1 | {encrypt:,.0f} | |")
        print(f"| token alone, Decrypt | 1 | {decrypt:,.0f} | |")
        process = TokenProcess(options(folder), environment)
        try:
            for what, in_flight, rate in asyncio.run(through_us(folder)):
                part = rate / (encrypt if what == "Encrypt" else decrypt)
                print(f"| through us, {what} | {in_flight} | {rate:,.0f} | {part:.0%} |")
        finally:
            process.end()


def set_up(folder: Path) -> dict[str, str]:
    """Make a token and its PIN's file; return the environment of the library."""
    (folder / "tokens").mkdir()
    (folder / "conf").write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
    (folder / "pin").write_text(PIN)
    environment = {"SOFTHSM2_CONF": str(folder / "conf")}
    subprocess.run(
        [
            *("softhsm2-util", "--init-token", "--free", "--label", "bench"),
            *("--pin", PIN, "--so-pin", PIN),
        ],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )
    return environment


def options(folder: Path) -> TokenOptions:
    return TokenOptions(
        name="bench",
        socket_path=str(folder / "t.sock"),
        module=MODULE,
        pin_file=str(folder / "pin"),
        label="bench",
        reads_and_writes=(str(folder),),
    )


async def through_us(folder: Path) -> list[tuple[str, int, float]]:
    """Return what was done, how many were in flight, and the rate."""
    holder = TokenHolder(options(folder).socket_path, 10.0)
    running = asyncio.create_task(holder.run())
    make = commands.GenerateKey(
        ACCOUNT, "us-east-1", KEY, SYMMETRIC, "ENCRYPT_DECRYPT", "AWS_CLOUDHSM"
    )
    made = await ask(holder, make)
    while made == Failed(Failure.TOKEN_AWAY):
        await asyncio.sleep(0.05)
        made = await ask(holder, make)
    assert isinstance(made, NewKey)
    token = encode(
        BoundToken(
            ACCOUNT,
            "us-east-1",
            KEY,
            SYMMETRIC,
            "ENCRYPT_DECRYPT",
            "AWS_CLOUDHSM",
            made.material_id,
            made.key_token,
        )
    )
    encrypt = commands.Encrypt(token, SYMMETRIC, bytes(32), CONTEXT)
    blob = (await ask(holder, encrypt)).value
    decrypt = commands.Decrypt(token, SYMMETRIC, blob, CONTEXT)
    figures = [
        (what, in_flight, await rate_of(holder, command, in_flight))
        for what, command in (("Encrypt", encrypt), ("Decrypt", decrypt))
        for in_flight in IN_FLIGHT
    ]
    holder.close()
    running.cancel()
    return figures


async def rate_of(holder, command, in_flight: int) -> float:
    done, until = 0, time.perf_counter() + SECONDS

    async def one() -> None:
        nonlocal done
        while time.perf_counter() < until:
            reply = await ask(holder, command)
            assert isinstance(reply, Bytes), reply
            done += 1

    await asyncio.gather(*(one() for _ in range(in_flight)))
    return done / SECONDS


async def ask(holder, command):
    pending: Pending = holder.perform(command)
    future = asyncio.get_running_loop().create_future()
    pending.then(lambda: future.set_result(pending.result()))
    return await future


def alone() -> None:
    """Print the rates of the library itself."""
    import pkcs11  # noqa: PLC0415 - in this process alone
    from pkcs11 import Attribute, GCMParams, KeyType, Mechanism  # noqa: PLC0415

    session = pkcs11.lib(MODULE).get_token(token_label="bench").open(rw=True, user_pin=PIN)
    key = session.generate_key(
        KeyType.AES,
        256,
        store=True,
        template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
    )
    iv = bytes(12)

    def gcm():
        return {"mechanism": Mechanism.AES_GCM, "mechanism_param": GCMParams(iv, bytes(150), 128)}

    sealed = key.encrypt(bytes(32), **gcm())
    for work in (lambda: key.encrypt(bytes(32), **gcm()), lambda: key.decrypt(sealed, **gcm())):
        done, until = 0, time.perf_counter() + SECONDS
        while time.perf_counter() < until:
            work()
            done += 1
        print(done / SECONDS)


if __name__ == "__main__":
    if sys.argv[1:2] == ["alone"]:
        alone()
    else:
        main()
