"""Attestation documents from a root of our own: what is believed, and everything that is not."""

import contextlib
import copy
from datetime import UTC, datetime, timedelta

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from kagimori.rules import attestation
from kagimori.rules.refusal import ValidationException

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
DAY = timedelta(days=1)
PROTECTED = cbor2.dumps({1: -35})


class Authority:
    """A key and its certificate, which may issue others."""

    def __init__(self, name, issuer=None, *, ca=True, pathlen=None, curve=None, valid=None,
                 digest=None, key=None, usage=True, extra=None, constraints=True):  # fmt: skip
        self.key = key or ec.generate_private_key((curve or ec.SECP384R1)())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = issuer or self
        start, end = valid or (NOW - DAY, NOW + DAY)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(issuer.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
        )
        if constraints:
            builder = builder.add_extension(x509.BasicConstraints(ca, pathlen), critical=True)
        builder = builder.add_extension(
            x509.KeyUsage(
                digital_signature=(not ca) is usage, key_cert_sign=ca is usage, crl_sign=ca,
                content_commitment=False, key_encipherment=False, data_encipherment=False,
                key_agreement=False, encipher_only=False, decipher_only=False,
            ),
            critical=True,
        )  # fmt: skip
        if extra is not None:
            builder = builder.add_extension(extra, critical=True)
        self.certificate = builder.sign(issuer.key, digest or hashes.SHA384())
        self.der = self.certificate.public_bytes(serialization.Encoding.DER)
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM)


ROOT = Authority("root")
REGION = Authority("region", ROOT, pathlen=1)
HOST = Authority("host", REGION, pathlen=0)
ENCLAVE = Authority("enclave", HOST, ca=False)
PUBLIC_KEY = (
    rsa.generate_private_key(65537, 2048)
    .public_key()
    .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
)
CLAIMS = {
    "module_id": "i-0123456789abcdef0-enc0123456789abcdef",
    "digest": "SHA384",
    "timestamp": int(NOW.timestamp() * 1000) - 1500,
    "pcrs": {index: bytes((index,)) * 48 for index in range(16)},
    "certificate": ENCLAVE.der,
    "cabundle": [ROOT.der, REGION.der, HOST.der],
    "public_key": PUBLIC_KEY,
    "user_data": None,
    "nonce": None,
}


def document(claims=CLAIMS, *, key=ENCLAVE.key, protected=PROTECTED, unprotected=None, payload=None,
             tag=False):  # fmt: skip
    payload = cbor2.dumps(claims) if payload is None else payload
    signed = cbor2.dumps(["Signature1", protected, b"", payload])
    r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA384())))
    signature = r.to_bytes(66, "big")[-48:] + s.to_bytes(66, "big")[-48:]
    parts = [protected, unprotected or {}, payload, signature]
    return cbor2.dumps(cbor2.CBORTag(18, parts) if tag else parts)


WHOLE = document()


def verify(data, roots=(ROOT.pem,), now=NOW):
    return attestation.verify(data, roots, now)


def refusal_of(data, **kwargs):
    with pytest.raises(ValidationException) as refused:
        verify(data, **kwargs)
    assert refused.value.message.startswith("The attestation document is not valid: ")
    return refused.value.message


def claims_with(**changes):
    changed = copy.deepcopy(CLAIMS) | changes
    return {name: value for name, value in changed.items() if value is not ...}


@pytest.mark.parametrize("tag", [False, True])
def test_a_right_document_is_believed(tag):
    attested = verify(document(tag=tag))
    assert attested.module_id == CLAIMS["module_id"]
    assert attested.pcrs[3] == b"\3" * 48
    assert attested.nitrotpm_pcrs == {}
    assert attested.public_key_der == PUBLIC_KEY
    assert attested.digest == "SHA384"
    assert attested.timestamp == NOW - timedelta(milliseconds=1500)
    assert attested.user_data is attested.nonce is None


def test_a_document_of_a_nitrotpm():
    attested = verify(
        document(claims_with(pcrs=..., nitrotpm_pcrs={4: bytes(48)}, nonce=b"n", user_data=b"u"))
    )
    assert attested.nitrotpm_pcrs == {4: bytes(48)}
    assert attested.pcrs == {}
    assert (attested.nonce, attested.user_data) == (b"n", b"u")
    assert "b'n'" not in repr(attested)


def test_a_document_without_a_public_key():
    for absent in (..., None, b""):
        assert verify(document(claims_with(public_key=absent))).public_key_der is None


@pytest.mark.parametrize(
    ("age", "believed"),
    [
        (timedelta(minutes=5), True),
        (timedelta(minutes=5, milliseconds=1), False),
        (-timedelta(minutes=1), True),
        (-timedelta(minutes=1, milliseconds=1), False),
    ],
)
def test_freshness(age, believed):
    data = document(claims_with(timestamp=int((NOW - age).timestamp() * 1000)))
    if believed:
        verify(data)
    else:
        assert "not fresh" in refusal_of(data)


def test_a_document_is_stale_at_a_later_time():
    assert "not fresh" in refusal_of(document(), now=NOW + timedelta(minutes=6))


def test_only_trusted_roots_are_believed():
    stranger = Authority("root")
    assert "trusted root" in refusal_of(document(), roots=(stranger.pem,))
    assert "trusted root" in refusal_of(document(), roots=())
    verify(document(), roots=(stranger.pem, ROOT.pem))
    verify(document(), roots=(stranger.pem + ROOT.pem,))


def test_the_signature_is_checked():
    assert "signature" in refusal_of(document(key=HOST.key))
    good = cbor2.loads(document())
    for part, index in ((2, 20), (3, 0), (3, 95)):
        spoilt = [bytearray(p) if isinstance(p, bytes) else p for p in good]
        spoilt[part][index] ^= 1
        refusal_of(cbor2.dumps([bytes(p) if isinstance(p, bytearray) else p for p in spoilt]))
    for signature in (b"", good[3][:-1], good[3] + b"\0", bytes(96), b"\xff" * 96):
        refusal_of(cbor2.dumps([*good[:3], signature]))


@pytest.mark.parametrize(
    "protected",
    [
        cbor2.dumps({1: -7}),
        cbor2.dumps({1: -36}),
        cbor2.dumps({}),
        cbor2.dumps({1: -35, 2: [9]}),
        cbor2.dumps([1, -35]),
        b"",
        b"\xff",
        PROTECTED + b"\0",
    ],
)
def test_another_algorithm_or_header_is_refused(protected):
    refusal_of(document(protected=protected))


def test_unprotected_headers_are_refused():
    refusal_of(document(unprotected={4: b"key"}))


def chain(*bundle, leaf, **claims):
    return document(
        claims_with(cabundle=[a.der for a in bundle], certificate=leaf.der, **claims), key=leaf.key
    )


CHAINS = {
    "no bundle": lambda: document(claims_with(cabundle=...)),
    "an empty bundle": lambda: document(claims_with(cabundle=[])),
    "a bundle without its root": lambda: chain(REGION, HOST, leaf=ENCLAVE),
    "a link missing": lambda: chain(ROOT, HOST, leaf=ENCLAVE),
    "links exchanged": lambda: chain(ROOT, HOST, REGION, leaf=ENCLAVE),
    "the root as the signer": lambda: chain(ROOT, leaf=ROOT),
    "an authority as the signer": lambda: chain(ROOT, REGION, leaf=HOST),
    "a leaf that issues": lambda: chain(
        ROOT, REGION, HOST, ENCLAVE, leaf=Authority("below", ENCLAVE, ca=False)
    ),
    "pathlen exceeded": lambda: chain(
        ROOT, REGION, HOST, a := Authority("more", HOST), leaf=Authority("leaf", a, ca=False)
    ),
    "expired leaf": lambda: chain(
        ROOT, REGION, HOST,
        leaf=Authority("leaf", HOST, ca=False, valid=(NOW - 2 * DAY, NOW - DAY)),
    ),
    "leaf not valid yet": lambda: chain(
        ROOT, REGION, HOST,
        leaf=Authority("leaf", HOST, ca=False, valid=(NOW + DAY, NOW + 2 * DAY)),
    ),
    "expired authority": lambda: chain(
        ROOT, a := Authority("old", ROOT, valid=(NOW - 2 * DAY, NOW - DAY)),
        leaf=Authority("leaf", a, ca=False),
    ),
    "leaf on P-256": lambda: chain(
        ROOT, REGION, HOST, leaf=Authority("leaf", HOST, ca=False, curve=ec.SECP256R1)
    ),
    "authority on P-256": lambda: chain(
        ROOT, a := Authority("weak", ROOT, curve=ec.SECP256R1), leaf=Authority("leaf", a, ca=False)
    ),
    "certificate with SHA-256": lambda: chain(
        ROOT, REGION, HOST, leaf=Authority("leaf", HOST, ca=False, digest=hashes.SHA256())
    ),
    "leaf of no use for signing": lambda: chain(
        ROOT, REGION, HOST, leaf=Authority("leaf", HOST, ca=False, usage=False)
    ),
    "authority of no use for issuing": lambda: chain(
        ROOT, a := Authority("idle", ROOT, usage=False), leaf=Authority("leaf", a, ca=False)
    ),
    "no basic constraints": lambda: chain(
        ROOT, REGION, HOST, leaf=Authority("leaf", HOST, ca=False, constraints=False)
    ),
    "a critical extension unknown": lambda: chain(
        ROOT, REGION, HOST,
        leaf=Authority("leaf", HOST, ca=False, extra=x509.UnrecognizedExtension(
            x509.ObjectIdentifier("1.2.3.4"), b"\x05\0")),
    ),
    "a namesake's signature": lambda: chain(
        ROOT, Authority("region", Authority("root"), pathlen=1),
        leaf=Authority("leaf", HOST, ca=False),
    ),
    "a certificate that is none": lambda: document(claims_with(certificate=b"\x30\x00")),
    "a certificate too long": lambda: document(claims_with(certificate=bytes(5000))),
    "a certificate missing": lambda: document(claims_with(certificate=...)),
    "a text in the bundle": lambda: document(claims_with(cabundle=[ROOT.der, "text"])),
    "too long a bundle": lambda: document(claims_with(cabundle=[ROOT.der] * 9)),
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
def test_false_chains_are_refused(name):
    refusal_of(CHAINS[name]())


@pytest.mark.parametrize(
    "changes",
    [
        {"module_id": ...}, {"module_id": ""}, {"module_id": b"bytes"},
        {"digest": "SHA256"}, {"digest": ...}, {"digest": 384},
        {"timestamp": ...}, {"timestamp": -1}, {"timestamp": 0}, {"timestamp": True},
        {"timestamp": 1.5e12}, {"timestamp": 2**64 - 1}, {"timestamp": "now"},
        {"pcrs": ...}, {"pcrs": {}}, {"pcrs": []}, {"pcrs": {32: bytes(48)}},
        {"pcrs": {-1: bytes(48)}}, {"pcrs": {"0": bytes(48)}}, {"pcrs": {True: bytes(48)}},
        {"pcrs": {0: bytes(47)}}, {"pcrs": {0: "x" * 48}},
        {"nitrotpm_pcrs": {0: bytes(48)}},
        {"public_key": "text"}, {"public_key": bytes(1025)}, {"nonce": bytes(1025)},
        {"user_data": 7},
    ],
    ids=str,
)  # fmt: skip
def test_malformed_claims_are_refused(changes):
    refusal_of(document(claims_with(**changes)))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xd2", b"\x80", b"\x84", b"\xf6", b"\x84\x40\xa0\x40\x40", b"\x9f\xff", b"\x81" * 5000,
        b"\x9b" + b"\xff" * 8, b"\x5b" + b"\x7f" + b"\xff" * 7, b"\xbb" + b"\xff" * 8,
        b"\xd8\x23\x63(a)", b"\xc2\x41\x01", bytes(40_000), b"\xd2" + b"\xd2" + document(),
        document() + b"\0",
        document(payload=b"\x01"), document(payload=b""), document(payload=b"\xff"),
        document(payload=cbor2.dumps(CLAIMS) + b"\0"),
        document(payload=b"\xa2\x61a\x01\x61a\x02"),
        document(payload=cbor2.dumps({**CLAIMS, "nonce": cbor2.CBORTag(2, b"n")})),
        document(payload=cbor2.dumps({**CLAIMS, "nonce": cbor2.CBORTag(4711, b"n")})),
    ],
    ids=range(23),
)  # fmt: skip
def test_hostile_bytes_are_refused(data):
    refusal_of(data)


@given(st.binary(max_size=400))
def test_any_bytes_are_refused(data):
    refusal_of(data)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.binary(max_size=60)
    | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(max_size=5) | st.integers(0, 40), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@given(st.lists(VALUES, min_size=3, max_size=5))
def test_any_structure_is_refused(parts):
    refusal_of(cbor2.dumps(parts))


@given(st.sampled_from(sorted(CLAIMS)), VALUES)
def test_any_signed_claim_is_believed_or_refused(name, value):
    with contextlib.suppress(ValidationException):
        verify(document(claims_with(**{name: value})))


def test_no_byte_of_a_certificate_can_be_changed():
    """Three bits of every byte, so that the parser of certificates is asked everything."""
    for name, position in (("host", 2), ("enclave", 3)):
        certificates = [*CLAIMS["cabundle"], CLAIMS["certificate"]]
        for place in range(len(certificates[position])):
            for change in (0x01, 0x20, 0x80):
                spoilt = bytearray(certificates[position])
                spoilt[place] ^= change
                chained = [*certificates[:position], bytes(spoilt), *certificates[position + 1 :]]
                claims = claims_with(cabundle=chained[:3], certificate=chained[3])
                payload = cbor2.dumps(claims)
                data = cbor2.dumps([PROTECTED, {}, payload, bytes(95) + b"1"])
                assert refusal_of(data), (name, place)


@pytest.mark.parametrize("oid", ["2a8648ce3d040302", "2a8648ce3d040304"])
def test_another_signature_algorithm_of_a_certificate_is_refused(oid):
    leaf = ENCLAVE.der.replace(bytes.fromhex("2a8648ce3d040303"), bytes.fromhex(oid))
    assert leaf != ENCLAVE.der
    refusal_of(document(claims_with(certificate=leaf)))


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_changed_byte_is_refused(place, change):
    spoilt = bytearray(WHOLE)
    spoilt[place % len(WHOLE)] ^= change
    refusal_of(bytes(spoilt))


def test_a_trust_root_that_is_none_is_a_fault():
    with pytest.raises(ValueError, match="PEM"):
        verify(document(), roots=(b"not a certificate",))
