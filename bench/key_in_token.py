"""The rate of a key in a PKCS#11 token through its process, beside the token's own.

.venv/bin/python bench/key_in_token.py

The token is SoftHSM 2 in a temporary folder. "The token alone" is one process that does nothing but
call the library through python-pkcs11. The rest is what a worker sees: commands over the socket, so
many in flight at a time, each in its turn at the token.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from machine import busy_seconds, described
from report import put_between

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
PAGE = Path(__file__).parents[1] / "docs/look-up/performance.md"
BEGIN = "<!-- figures of a token: written by `make bench` -->"
END = "<!-- end of those of a token -->"
IN_FLIGHT = (1, 16, 64)
CONTEXT = {"purpose": "bench"}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="kagimori-token-") as name:
        print(measured(Path(name), seconds=SECONDS))


def write(folder: Path, *, seconds: float, page: Path | None = PAGE) -> None:
    """Measure, print, and put it into a page."""
    if not Path(MODULE).exists():
        print("SoftHSM 2 is not installed: no figures of a key in a token", file=sys.stderr)
        return
    print("a key in a token", file=sys.stderr)
    text = measured(folder, seconds=seconds)
    print(text)
    if page is not None:
        put_between(page, BEGIN, END, text)


def measured(folder: Path, *, seconds: float) -> str:
    """Measure everything here; return it in Markdown."""
    environment = set_up(folder)
    busy, began = busy_seconds(), time.perf_counter()
    alone = subprocess.run(
        [sys.executable, __file__, "alone", str(seconds)],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    own = dict(zip(("Encrypt", "Decrypt"), map(float, alone), strict=True))
    process = TokenProcess(options(folder), environment)
    try:
        found = asyncio.run(through_us(folder, seconds))
    finally:
        process.end()
    cores = (busy_seconds() - busy) / (time.perf_counter() - began)
    machine = "; ".join(f"{name}: {value}" for name, value in described().items())
    lines = (
        f"Measured on {datetime.now(UTC).date().isoformat()}, {seconds:g} s each. {machine}.",
        f"{cores:.1f} cores were busy meanwhile, with this and with others' work.",
        "",
        "| what | in flight | a second | of the token alone |",
        "|---|---:|---:|---:|",
        *(f"| the token alone, {what} | 1 | {rate:,.0f} | |" for what, rate in own.items()),
        *(
            f"| {what} | {in_flight} | {rate:,.0f} | {rate / own[what]:.0%} |"
            for what, in_flight, rate in found
        ),
    )
    return "\n".join(lines)


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


async def through_us(folder: Path, seconds: float) -> list[tuple[str, int, float]]:
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
        (what, in_flight, await rate_of(holder, command, in_flight, seconds))
        for what, command in (("Encrypt", encrypt), ("Decrypt", decrypt))
        for in_flight in IN_FLIGHT
    ]
    holder.close()
    running.cancel()
    return figures


async def rate_of(holder, command, in_flight: int, seconds: float) -> float:
    done, until = 0, time.perf_counter() + seconds

    async def one() -> None:
        nonlocal done
        while time.perf_counter() < until:
            reply = await ask(holder, command)
            assert isinstance(reply, Bytes), reply
            done += 1

    await asyncio.gather(*(one() for _ in range(in_flight)))
    return done / seconds


async def ask(holder, command):
    pending: Pending = holder.perform(command)
    future = asyncio.get_running_loop().create_future()
    pending.then(lambda: future.set_result(pending.result()))
    return await future


def alone(seconds: float) -> None:
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
        done, until = 0, time.perf_counter() + seconds
        while time.perf_counter() < until:
            work()
            done += 1
        print(done / seconds)


if __name__ == "__main__":
    if sys.argv[1:2] == ["alone"]:
        alone(float(sys.argv[2]))
    else:
        main()
