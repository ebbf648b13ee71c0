"""The pages on formats are enough: a second implementation reads and writes what the HSM does.

`second_hsm.py` is written from them alone. Promise: old-ciphertext-lives.
"""

import ast
import base64
import os
import time
from pathlib import Path

import msgspec
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, mlkem, padding, rsa

import outside
import second_hsm
import totp
from kagimori_boundary import commands
from kagimori_boundary.commands import IDENTITY_DOMAIN, BoundToken, Role
from kagimori_boundary.key_specs import SPECS, KeyUsage
from kagimori_boundary.replies import Bytes, Failed, Failure, Greeting, HsmState
from kagimori_hsm.module import Module

ACCOUNT, REGION = "111122223333", "eu-west-1"
KEY_ID = "12345678-90ab-cdef-1234-567890abcdef"
SEAL_KEY = bytes(range(32))
OPERATORS = "444455556666"
CONTEXT = {"tenant": "blue", "Zweck": "Prüfung ✓", "empty": ""}
MESSAGE = b"meet me at noon"
USES = [(spec.name, usage) for spec in SPECS.values() for usage in spec.usages]
EVERY_USE = pytest.mark.parametrize(("spec", "usage"), USES, ids=str)


def module():
    made = Module(SEAL_KEY, memory_locked=False)
    made.self_test()
    return made


class Pair:
    """An HSM and the second implementation, open with the same domains."""

    def __init__(self):
        self.hsm = module()
        self.sealed = self.operator(
            commands.CreateDomains([IDENTITY_DOMAIN, REGION], OPERATORS)
        ).sealed_domains
        self.second = second_hsm.Domains.opened(self.sealed, SEAL_KEY)
        self.ring = self.second.rings[IDENTITY_DOMAIN]

    def operator(self, command):
        return self.hsm.perform(Role.OPERATOR, command)

    def worker(self, command):
        return self.hsm.perform(Role.WORKER, command)


@pytest.fixture(scope="module")
def pair():
    return Pair()


def test_it_is_written_from_the_pages_alone():
    source = (Path(__file__).parents[1] / "second_hsm.py").read_text()
    imported = [
        name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [getattr(node, "module", None) or "", *(one.name for one in node.names)]
    ]
    assert imported
    assert not [name for name in imported if name.startswith("kagimori")]


# --- sealed domains -------------------------------------------------------------------------------


def test_it_opens_the_domains_that_the_hsm_sealed(pair):
    assert set(pair.second.rings) == {IDENTITY_DOMAIN, REGION}
    assert pair.second.operators == OPERATORS
    listed = pair.operator(commands.DescribeDomains()).keys
    for ring in pair.second.rings.values():
        assert ring.current in {key.key_id for key in listed if key.is_current}
    rotated = pair.worker(commands.RotateDomainKeys(pair.sealed, [REGION], 0.0))
    successor = second_hsm.Domains.opened(rotated.sealed_domains, SEAL_KEY)
    assert len(successor.rings[REGION].keys) == 2
    assert successor.rings[REGION].step == 1
    for key_id, key in pair.second.rings[REGION].keys.items():
        assert successor.rings[REGION].keys[key_id] == key


@pytest.mark.parametrize("version", [1, 2, 3])
def test_the_hsm_opens_the_domains_that_it_sealed(version):
    second = second_hsm.Domains.new([REGION], OPERATORS)
    hsm = module()
    greeting = hsm.perform(Role.OPERATOR, commands.Unseal(second.sealed(SEAL_KEY, version)))
    assert isinstance(greeting, Greeting), greeting
    assert greeting.state is HsmState.OPERATIONAL
    assert greeting.operator_account_id == ("" if version == 1 else OPERATORS)
    listed = hsm.perform(Role.OPERATOR, commands.DescribeDomains()).keys
    assert {key.key_id for key in listed} == {ring.current for ring in second.rings.values()}
    wrong = module().perform(Role.OPERATOR, commands.Unseal(second.sealed(bytes(32), version)))
    assert wrong == Failed(Failure.SEAL_REFUSED)


PASSPHRASE = "correct horse battery \u212bngstr\u00f6m"  # NFKC makes another letter of the first


def test_seals_that_the_hsm_made_for_people():
    made = {"passphrase": ({}, PASSPHRASE.encode()), "quorum": ({"threshold": 2, "shares": 3}, b"")}
    for kind, (parameters, secret) in made.items():
        hsm = module()
        seal = hsm.perform(Role.OPERATOR, commands.MakeFirstSeal(kind, "", parameters, secret))
        reply = hsm.perform(Role.OPERATOR, commands.CreateDomains([IDENTITY_DOMAIN], OPERATORS))

        def secret_of(one, kind=kind, shares=seal.shares):
            if kind == "passphrase":
                return second_hsm.secret_of_passphrase(PASSPHRASE, one["parameters"])
            return second_hsm.secret_of_shares(shares[1:])

        opened = second_hsm.Domains.opened(reply.sealed_domains, secret_of)
        assert opened.operators == OPERATORS


def test_seals_that_it_made_for_people():
    second = second_hsm.Domains.new([REGION], OPERATORS)
    parameters = {"salt": "00" * 16, "iterations": 1, "lanes": 1, "memory_kib": 64}
    secret = second_hsm.secret_of_passphrase(PASSPHRASE, parameters)
    by_passphrase = second.sealed(secret, kind="passphrase", parameters=parameters)
    secret, shares, parameters = second_hsm.new_shares(2, 3)
    by_shares = second.sealed(secret, kind="quorum", parameters=parameters)
    given = {by_passphrase: [PASSPHRASE.encode()], by_shares: [s.encode() for s in shares[:2]]}
    for sealed, secrets in given.items():
        hsm = module()
        assert hsm.perform(Role.OPERATOR, commands.Unseal(sealed)).state is HsmState.SEALED
        (seal,) = hsm.perform(Role.OPERATOR, commands.DescribeSeals()).seals
        for one in secrets:
            progress = hsm.perform(Role.OPERATOR, commands.OpenSeal(seal.seal_id, one))
        assert progress.is_done, progress
        assert hsm.state is HsmState.OPERATIONAL


# --- keys of every spec and usage -----------------------------------------------------------------


def entity(spec, usage, origin="AWS_KMS"):
    """A KMS key as the store has it; members with their default value are left out."""
    return {
        "account_id": ACCOUNT,
        "region": REGION,
        "key_id": KEY_ID,
        **({} if spec == "SYMMETRIC_DEFAULT" else {"key_spec": spec}),
        **({} if usage == "ENCRYPT_DECRYPT" else {"key_usage": usage}),
        **({} if origin == "AWS_KMS" else {"origin": origin}),
    }


def bound(key, named, token):
    return msgspec.msgpack.encode(
        BoundToken(
            ACCOUNT,
            REGION,
            KEY_ID,
            key.get("key_spec", "SYMMETRIC_DEFAULT"),
            key.get("key_usage", "ENCRYPT_DECRYPT"),
            key.get("origin", "AWS_KMS"),
            named,
            token,
        )
    )


def new_material(spec):
    """Key material made elsewhere, in the form that the page says."""
    if spec == "SYMMETRIC_DEFAULT":
        return os.urandom(32)
    if spec.startswith("HMAC"):
        return os.urandom(int(spec[5:]) // 8)
    if spec.startswith("ML_"):
        kinds = {
            "ML_DSA_44": mldsa.MLDSA44PrivateKey,
            "ML_DSA_65": mldsa.MLDSA65PrivateKey,
            "ML_DSA_87": mldsa.MLDSA87PrivateKey,
            "ML_KEM_768": mlkem.MLKEM768PrivateKey,
            "ML_KEM_1024": mlkem.MLKEM1024PrivateKey,
        }
        return pkcs8(kinds[spec].generate())
    return outside.new_private_key(spec)


@EVERY_USE
def test_it_opens_and_uses_the_keys_that_the_hsm_made(pair, spec, usage):
    key = entity(spec, usage)
    made = pair.worker(commands.GenerateKey(ACCOUNT, REGION, KEY_ID, spec, usage, "AWS_KMS"))
    material = pair.second.material(key, made.material_id, made.key_token)
    assert second_hsm.material_id(material, ACCOUNT, KEY_ID) == made.material_id
    agree(pair, spec, usage, bound(key, made.material_id, made.key_token), material)


@EVERY_USE
def test_the_hsm_opens_and_uses_the_keys_that_it_made(pair, spec, usage):
    key, material = entity(spec, usage, "EXTERNAL"), new_material(spec)
    named, token = pair.second.key_token(key, material)
    agree(pair, spec, usage, bound(key, named, token), material)
    other = bound({**key, "origin": "AWS_KMS"}, named, token)
    (algorithm, *_) = SPECS[spec].algorithms[usage]
    assert pair.worker(a_use(usage, other, algorithm)) == Failed(Failure.TOKEN_REFUSED)


def a_use(usage, token, algorithm):
    match usage:
        case KeyUsage.ENCRYPT_DECRYPT:
            return commands.Encrypt(token, algorithm, MESSAGE, {})
        case KeyUsage.SIGN_VERIFY:
            return commands.Sign(token, algorithm, "RAW", MESSAGE)
        case KeyUsage.GENERATE_VERIFY_MAC:
            return commands.GenerateMac(token, algorithm, MESSAGE)
        case KeyUsage.KEY_AGREEMENT:
            return commands.DeriveSharedSecret(token, algorithm, b"")
        case KeyUsage.ENCAPSULATE_DECAPSULATE:
            return commands.Encapsulate(token, algorithm)


def agree(pair, spec, usage, token, material):
    """Hold that the HSM with a token and we with the material do the same, both ways."""
    for algorithm in SPECS[spec].algorithms[usage]:
        match usage:
            case KeyUsage.ENCRYPT_DECRYPT if spec == "SYMMETRIC_DEFAULT":
                theirs = pair.worker(commands.Encrypt(token, algorithm, MESSAGE, CONTEXT)).value
                named = (material, ACCOUNT, KEY_ID)
                assert second_hsm.decrypt(*named, theirs, CONTEXT) == MESSAGE
                ours = second_hsm.encrypt(*named, MESSAGE, CONTEXT)
                decrypted = pair.worker(commands.Decrypt(token, algorithm, ours, CONTEXT))
                assert decrypted == Bytes(MESSAGE)
            case KeyUsage.ENCRYPT_DECRYPT:
                theirs = pair.worker(commands.Encrypt(token, algorithm, MESSAGE, {})).value
                assert second_hsm.decrypt_asymmetric(material, algorithm, theirs) == MESSAGE
                public = second_hsm.private_key(material).public_key()
                ours = public.encrypt(MESSAGE, second_hsm.oaep(algorithm))
                decrypted = pair.worker(commands.Decrypt(token, algorithm, ours, {}))
                assert decrypted == Bytes(MESSAGE)
            case KeyUsage.GENERATE_VERIFY_MAC:
                name = "sha" + algorithm.rpartition("_")[2]
                ours = second_hsm.hmac.digest(material, MESSAGE, name)
                assert pair.worker(commands.GenerateMac(token, algorithm, MESSAGE)) == Bytes(ours)
            case KeyUsage.SIGN_VERIFY:
                signatures_agree(pair, algorithm, token, second_hsm.private_key(material))
            case KeyUsage.KEY_AGREEMENT:
                ours = second_hsm.private_key(material)
                peer = ec.generate_private_key(ours.curve)
                shared = peer.exchange(ec.ECDH(), ours.public_key())
                command = commands.DeriveSharedSecret(token, algorithm, spki(peer))
                assert pair.worker(command) == Bytes(shared)
            case KeyUsage.ENCAPSULATE_DECAPSULATE:
                theirs = pair.worker(commands.Encapsulate(token, algorithm))
                opened = second_hsm.decrypt_asymmetric(material, algorithm, theirs.ciphertext)
                assert opened == theirs.shared_secret
                secret, ours = second_hsm.private_key(material).public_key().encapsulate()
                decapsulated = pair.worker(commands.Decapsulate(token, algorithm, ours))
                assert decapsulated == Bytes(secret)


def signatures_agree(pair, algorithm, token, key):
    kind, message = "RAW", MESSAGE
    if algorithm == "ED25519_PH_SHA_512":
        kind, message = "DIGEST", second_hsm.hashlib.sha512(MESSAGE).digest()
    theirs = pair.worker(commands.Sign(token, algorithm, kind, message)).value
    if algorithm == "ED25519_PH_SHA_512":
        return  # the library has none; tests/vectors has RFC 8032's
    options = signing_options(algorithm, key)
    key.public_key().verify(theirs, MESSAGE, *options)
    ours = key.sign(MESSAGE, *options)
    checked = pair.worker(commands.Verify(token, algorithm, "RAW", MESSAGE, ours))
    assert checked == Bytes(b"")


def signing_options(algorithm, key):
    if isinstance(key, rsa.RSAPrivateKey):
        digest = outside_hash(algorithm)
        salt = padding.PSS(padding.MGF1(digest), digest.digest_size)
        return (salt if "PSS" in algorithm else padding.PKCS1v15(), digest)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return (ec.ECDSA(outside_hash(algorithm)),)
    return ()


def outside_hash(algorithm):
    return {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}[algorithm[-3:]]()


def spki(private):
    return private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def pkcs8(private):
    return private.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


# --- every other kind of token --------------------------------------------------------------------

ACCESS_KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SCOPE = (time.strftime("%Y%m%d", time.gmtime()), REGION, "kms")


def signing_key(secret):
    key = b"AWS4" + secret.encode()
    for part in (*SCOPE, "aws4_request"):
        key = second_hsm.mac(key, part.encode())
    return key


@pytest.mark.parametrize("holder", ["root", "AIDA1234567890123456", "service/s3", ""])
def test_secrets_of_access_keys(pair, holder):
    named = (ACCOUNT, ACCESS_KEY_ID, holder)
    made = pair.operator(commands.CreateSecret(*named))
    binding = second_hsm.secret_binding(*named)
    assert pair.ring.unwrap(made.sealed_secret, binding).decode() == made.secret_access_key
    ours = pair.ring.wrap(b"s" * 40, binding)
    derived = pair.worker(commands.DeriveSigningKey(*named, ours, *SCOPE))
    assert derived == Bytes(signing_key("s" * 40))


def test_seeds_of_mfa_devices(pair):
    binding = second_hsm.seed_binding({"account_id": ACCOUNT, "name": "alice"})
    serial = f"arn:aws:iam::{ACCOUNT}:mfa/alice"
    made = pair.worker(commands.CreateMfaSeed(serial))
    assert pair.ring.unwrap(made.sealed_seed, binding) == base64.b32decode(made.base32_seed)
    seed, now = os.urandom(40), time.time()
    codes = [totp.code(base64.b32encode(seed), now + offset) for offset in (0, 30)]
    command = commands.TakeCodes(serial, pair.ring.wrap(seed, binding), *codes, 0, now)
    assert not isinstance(pair.worker(command), Failed)


def test_passwords(pair):
    named = (ACCOUNT, "AIDA1234567890123456")
    binding = second_hsm.password_binding(*named)
    root = (ACCOUNT, "AKIAIOSFODNN7EXAMPLE", "root")
    secret = pair.operator(commands.CreateSecret(*root))
    proof = commands.AccessKeyProof(*root, secret.sealed_secret)
    made = pair.worker(commands.HashPassword(*named, "first", proof=proof))
    salt, kept = second_hsm.unpacked(pair.ring.unwrap(made.value, binding))
    assert kept == [second_hsm.password_hash("first", salt)]
    salt = os.urandom(16)
    form = second_hsm.packed([salt, [second_hsm.password_hash("ours", salt)]])
    ours = pair.ring.wrap(form, binding)
    changed = pair.worker(commands.HashPassword(*named, "next", ours, "ours", proof=proof))
    assert isinstance(changed, Bytes)
    wrong = pair.worker(commands.HashPassword(*named, "next", ours, "theirs", proof=proof))
    assert wrong == Failed(Failure.INCORRECT_PASSWORD)


def test_the_key_that_signs_digests(pair):
    binding = second_hsm.audit_key_binding()
    made = pair.operator(commands.CreateAuditKey())
    assert spki(second_hsm.private_key(pair.ring.unwrap(made.key_token, binding))) == (
        made.public_key
    )
    ours = outside.new_private_key("RSA_2048")
    token = pair.ring.wrap(ours, binding)
    digest = second_hsm.hashlib.sha256(b"content").digest()
    signed = pair.operator(commands.SignDigest(token, "t", "b", "o", digest, b"")).value
    text = f"t\nb/o\n{digest.hex()}\nnull".encode()
    public = second_hsm.private_key(ours).public_key()
    public.verify(signed, text, padding.PKCS1v15(), hashes.SHA256())


def test_session_tokens(pair):
    now, key_id = int(time.time()), "ASIAIOSFODNN7EXAMPLE"
    who = ("role", ACCOUNT, "AROA1234567890123456", now, now + 3600)
    binding = second_hsm.session_binding(key_id)
    made = pair.worker(commands.CreateSession(key_id, *who, b"claims"))
    opened = second_hsm.unpacked(pair.ring.unwrap(made.session_token, binding))
    assert opened == [made.secret_access_key, *who, "", b"claims"]
    ours = pair.ring.wrap(second_hsm.packed(["s" * 40, *who, "", b"ours"]), binding)
    session = pair.worker(commands.OpenSession(key_id, ours, *SCOPE))
    assert (session.claims, session.signing_key) == (b"ours", signing_key("s" * 40))


def test_encoded_authorization_messages(pair):
    purpose, binding = "authorization message", second_hsm.message_binding()
    made = pair.worker(commands.SealClaims(purpose, b"claims"))
    assert pair.ring.unwrap(made.value, binding) == b"claims"
    ours = pair.ring.wrap(b"ours", binding)
    assert pair.worker(commands.OpenClaims(purpose, ours)) == Bytes(b"ours")


def test_import_tokens(pair):
    key = entity("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "EXTERNAL")
    named, algorithm = (ACCOUNT, REGION, KEY_ID), "RSAES_OAEP_SHA_256"
    ring, binding = pair.second.rings[REGION], second_hsm.import_binding(key)
    valid_to = time.time() + 60
    made = pair.worker(commands.CreateImportParameters(*named, algorithm, "RSA_2048", valid_to))
    opened = second_hsm.unpacked(ring.unwrap(made.import_token, binding))
    assert opened[:3] == [algorithm, "RSA_2048", valid_to]
    assert spki(second_hsm.private_key(opened[3])) == made.public_key
    wrapping, material = outside.new_private_key("RSA_2048"), os.urandom(32)
    ours = ring.wrap(second_hsm.packed([algorithm, "RSA_2048", valid_to, wrapping]), binding)
    encrypted = outside.wrapped(spki(second_hsm.private_key(wrapping)), algorithm, material)
    usage = ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
    imported = pair.worker(commands.ImportMaterial(*named, *usage, ours, encrypted, time.time()))
    assert pair.second.material(key, imported.material_id, imported.key_token) == material


# --- that it can fail -----------------------------------------------------------------------------


def test_a_token_is_for_what_it_is_bound_to(pair):
    key = entity("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
    named, token = pair.second.key_token(key, os.urandom(32))
    whole = {"origin": "AWS_KMS", "key_spec": "SYMMETRIC_DEFAULT", "key_usage": "ENCRYPT_DECRYPT"}
    for member, value in {**key, **whole}.items():
        if member == "region":
            continue  # another ring
        with pytest.raises(InvalidTag):
            pair.second.material({**key, member: value + "x"}, named, token)
    with pytest.raises(InvalidTag):
        pair.second.material(key, bytes(32), token)
