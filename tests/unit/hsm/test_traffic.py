"""All that goes over the HSM's sockets, both ways: no backing key, domain key or root key is in it.

Promise: plain-keys-stay-inside. Imported material comes under the wrapping key alone.
"""

import asyncio
import os
import time

import msgspec
import pytest

import outside
from kagimori_boundary import commands
from kagimori_boundary.commands import BoundToken, Role
from kagimori_boundary.frames import FrameCutter, decode_reply, frame_of
from kagimori_boundary.key_specs import SPECS, Family
from kagimori_boundary.replies import Failed, NewKey, SealedDomains
from kagimori_hsm.door import Connection
from kagimori_hsm.journal import Journal, JournalWriter
from kagimori_hsm.lanes import SlowLane
from kagimori_hsm.module import Module
from kagimori_hsm.ring import Ring
from kagimori_hsm.roots import seals
from kagimori_hsm.world import World
from kit.key_bytes import found_in

ACCOUNT, REGION, OTHER = "111122223333", "us-east-1", "eu-central-1"
SMALL = [name for name, spec in SPECS.items() if not name.endswith(("3072", "4096"))]


class Wire:
    """Both ends of a connection: what goes over it is kept."""

    def __init__(self, module, role):
        self.traffic, self.cutter, self.replies = [], FrameCutter(), {}
        self.connection = Connection(
            module.perform, SlowLane(), lambda _: role, JournalWriter(Journal())
        )
        self.connection.connection_made(self)

    def get_extra_info(self, name):
        return None

    def write(self, data):
        self.traffic.append(data)
        self.replies |= {number: decode_reply(body) for number, body in self.cutter.feed(data)}

    async def ask(self, command):
        number = len(self.traffic) + 1
        sent = frame_of(number, command)
        self.traffic.append(sent)
        self.connection.data_received(sent)
        while number not in self.replies:
            await asyncio.sleep(0.001)
        return self.replies.pop(number)


def token_of(made, spec, usage, key_id="k", region=REGION, origin="AWS_KMS"):
    bound = BoundToken(
        ACCOUNT, region, key_id, spec, usage, origin, made.material_id, made.key_token
    )
    return msgspec.msgpack.encode(bound)


def uses_of(token, spec, usage):
    algorithm = SPECS[spec].algorithms[usage][0]
    if usage == "SIGN_VERIFY":
        message_type = "DIGEST" if algorithm == "ED25519_PH_SHA_512" else "RAW"
        yield commands.Sign(token, algorithm, message_type, b"x" * 64)
    elif usage == "GENERATE_VERIFY_MAC":
        yield commands.GenerateMac(token, algorithm, b"x")
    elif usage == "KEY_AGREEMENT":
        return
    elif usage == "ENCAPSULATE_DECAPSULATE":
        yield commands.Encapsulate(token, algorithm)
    else:
        yield commands.Encrypt(token, algorithm, b"x", {})
    if spec == "SYMMETRIC_DEFAULT":
        yield commands.GenerateDataKey(token, 32, {}, with_plaintext=True)
        yield commands.GenerateDataKeyPair(token, "ECC_NIST_P256", {}, with_plaintext=True)
        yield commands.ReplicateMaterial([token], OTHER)


async def lead_a_life(module, operator, worker):
    """Have every kind of key made, kept, used and wrapped anew; return the material imported."""
    for spec in SMALL:
        for usage in SPECS[spec].usages:
            command = commands.GenerateKey(ACCOUNT, REGION, "k", spec, usage, "AWS_KMS", [OTHER])
            made = await worker.ask(command)
            assert isinstance(made, NewKey), (spec, usage, made)
            token = token_of(made, spec, usage)
            for use in uses_of(token, spec, usage):
                assert not isinstance(await worker.ask(use), Failed), use
    material = await import_one(worker)
    audit = await operator.ask(commands.CreateAuditKey())
    await operator.ask(commands.SignDigest(audit.key_token, "t", "b", "o", b"", b""))
    sealed = await operator.ask(commands.CreateDomains(["identity", REGION, OTHER]))
    rotated = await worker.ask(
        commands.RotateDomainKeys(sealed.sealed_domains, [REGION], now=time.time())
    )
    assert isinstance(rotated, SealedDomains)
    await operator.ask(commands.AdoptDomains(rotated.sealed_domains))
    tokens = await worker.ask(commands.RewrapTokens([commands.KeyToken(token)]))
    assert not isinstance(tokens, Failed)
    for wire in (operator, worker):
        for command in (commands.Hello(1), commands.DescribeModule(), commands.DescribeDomains()):
            await wire.ask(command)
    await operator.ask(commands.Zeroize())
    return material


async def import_one(worker):
    given = await worker.ask(
        commands.CreateImportParameters(
            account_id=ACCOUNT, region=REGION, key_id="i", wrapping_key_spec="RSA_2048",
            wrapping_algorithm="RSAES_OAEP_SHA_256", valid_to=time.time() + 60,
        )
    )  # fmt: skip
    material = os.urandom(32)
    imported = await worker.ask(
        commands.ImportMaterial(
            account_id=ACCOUNT, region=REGION, key_id="i", key_spec="SYMMETRIC_DEFAULT",
            key_usage="ENCRYPT_DECRYPT", import_token=given.import_token, now=time.time(),
            encrypted_material=outside.wrapped(given.public_key, "RSAES_OAEP_SHA_256", material),
        )
    )  # fmt: skip
    token = token_of(imported, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "i", origin="EXTERNAL")
    await worker.ask(commands.Encrypt(token, "SYMMETRIC_DEFAULT", b"x", {}))
    return material


@pytest.fixture
def watched(monkeypatch):
    """A module, and a list of every secret that was ever wrapped, sealed or drawn in it."""
    secrets = {}

    def note(name, value):
        secrets[f"{name} {len(secrets)}"] = value

    wrap = Ring.wrap
    monkeypatch.setattr(
        Ring, "wrap", lambda ring, secret, binding: (
            note("backing key", secret), wrap(ring, secret, binding))[1],
    )  # fmt: skip
    draw = seals.RootKey.draw.__func__

    def drawn(kind):
        made = draw(kind)
        note("root key", made.secret)
        return made

    monkeypatch.setattr(seals.RootKey, "draw", classmethod(drawn))
    module = Module(b"s" * 32, memory_locked=False, self_tests=list)
    module.self_test()
    return module, secrets, note


def test_no_key_is_in_the_traffic(watched):
    module, secrets, note = watched

    async def test():
        operator, worker = Wire(module, Role.OPERATOR), Wire(module, Role.WORKER)
        await operator.ask(commands.CreateDomains(["identity", REGION, OTHER]))
        for name, ring in module._rings.all().items():
            for key in ring.plain()[1].values():
                note(f"domain key {name}", key)
        material = await lead_a_life(module, operator, worker)
        note("imported", material)
        return b"".join(operator.traffic), b"".join(worker.traffic)

    for traffic in asyncio.run(test()):
        # What a wrapped session, claim or pair holds is the caller's; keys are nobody's.
        assert found_in(traffic, secrets) == set()
    kinds = [name.split(" ")[0] for name in secrets]
    assert kinds.count("backing") > len(SMALL)
    assert kinds.count("domain") == 3
    assert kinds.count("root") == 1


def test_the_search_would_find_one():
    """In `dev`, keys are given in plain: the worker's traffic has them."""
    module = Module(bytes(32), memory_locked=False, self_tests=list, world=World(dev=True))
    module.self_test()
    material = os.urandom(32)

    async def test():
        operator, worker = Wire(module, Role.OPERATOR), Wire(module, Role.WORKER)
        await operator.ask(commands.CreateDomains(["identity", REGION]))
        await worker.ask(
            commands.StoreMaterial(
                ACCOUNT, REGION, "k", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS", material
            )
        )
        return b"".join(worker.traffic)

    assert found_in(asyncio.run(test()), {"it": material}) == {"it"}


def test_every_family_is_among_those_tried():
    assert {SPECS[name].family for name in SMALL} == set(Family)
