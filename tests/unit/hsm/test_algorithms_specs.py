"""The table of key specs, and the door to the families: what fits together, and what does not."""

import itertools

import pytest
from cryptography.hazmat.primitives import serialization

from kagimori_hsm.algorithms import dispatch, pairs
from kagimori_hsm.algorithms.specs import SPECS, Family, KeyUsage, spec_named
from kagimori_hsm.refused import Reason, Refused

# RSA of 3072 and 4096 bits has the same code and takes long to make: test_algorithms_rsa.py.
QUICK = [name for name in SPECS if name not in {"RSA_3072", "RSA_4096"}]
PUBLIC_DER_BYTES = {
    "RSA_2048": 294,
    "ECC_NIST_P256": 91,
    "ECC_NIST_P384": 120,
    "ECC_NIST_P521": 158,
    "ECC_SECG_P256K1": 88,
    "ECC_NIST_EDWARDS25519": 44,
    "ML_DSA_44": 1334,
    "ML_DSA_65": 1974,
    "ML_DSA_87": 2614,
    "ML_KEM_768": 1206,
    "ML_KEM_1024": 1590,
}
ALL_ALGORITHMS = sorted(
    {a for spec in SPECS.values() for names in spec.algorithms.values() for a in names}
)


@pytest.fixture(scope="module")
def loaded():
    return {name: dispatch.load(name, dispatch.generate(name)) for name in QUICK}


def reason_of(function, *args, **kwargs):
    with pytest.raises(Refused) as refused:
        function(*args, **kwargs)
    return refused.value.reason


@pytest.mark.parametrize("name", QUICK)
def test_the_public_key_is_subject_public_key_info(name, loaded):
    if name not in PUBLIC_DER_BYTES:
        assert reason_of(dispatch.public_key, name, loaded[name]) is Reason.UNSUPPORTED
        return
    der = dispatch.public_key(name, loaded[name])
    assert len(der) == PUBLIC_DER_BYTES[name]
    serialization.load_der_public_key(der)


@pytest.mark.parametrize("name", QUICK)
def test_a_key_does_what_its_spec_allows_and_nothing_else(name, loaded):
    key, spec = loaded[name], SPECS[name]
    attempts = {
        KeyUsage.SIGN_VERIFY: [
            lambda a: dispatch.sign(name, key, a, "RAW", b"m"),
            lambda a: dispatch.verify(name, key, a, "RAW", b"m", b"s"),
        ],
        KeyUsage.ENCRYPT_DECRYPT: [
            lambda a: dispatch.encrypt_asymmetric(name, key, a, b"m"),
            lambda a: dispatch.decrypt_asymmetric(name, key, a, b"m"),
        ],
        KeyUsage.GENERATE_VERIFY_MAC: [
            lambda a: dispatch.generate_mac(name, key, a, b"m"),
            lambda a: dispatch.verify_mac(name, key, a, b"m", b"t"),
        ],
        KeyUsage.KEY_AGREEMENT: [lambda a: dispatch.derive(name, key, a, b"p")],
        KeyUsage.ENCAPSULATE_DECAPSULATE: [
            lambda a: dispatch.encapsulate(name, key, a),
            lambda a: dispatch.decapsulate(name, key, a, b"c"),
        ],
    }
    for (usage, functions), algorithm in itertools.product(attempts.items(), ALL_ALGORITHMS):
        if spec.allows(usage, algorithm):
            continue
        for function in functions:
            assert reason_of(function, algorithm) is Reason.UNSUPPORTED, (usage, algorithm)


def test_symmetric_keys_do_not_encrypt_through_the_asymmetric_door(loaded):
    key = loaded["SYMMETRIC_DEFAULT"]
    for function in (dispatch.encrypt_asymmetric, dispatch.decrypt_asymmetric):
        refused = reason_of(function, "SYMMETRIC_DEFAULT", key, "SYMMETRIC_DEFAULT", b"m")
        assert refused is Reason.UNSUPPORTED


@pytest.mark.parametrize(("spec", "other"), list(itertools.permutations(QUICK, 2)))
def test_material_of_one_spec_does_not_load_as_another(spec, other, loaded):
    family, other_family = SPECS[spec].family, SPECS[other].family
    raw = (Family.SYMMETRIC, Family.MAC)
    if family in raw and other_family in raw:
        pytest.skip("raw bytes are of no spec")
    material = (
        loaded[other]
        if other_family in raw
        else loaded[other].private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    if family is Family.MAC and len(material) <= 128 and len(material) >= SPECS[spec].mac_bytes:
        pytest.skip("short enough to be an HMAC key")
    assert reason_of(dispatch.load, spec, material) is Reason.INCORRECT_KEY_MATERIAL


def test_names_outside_the_table_are_refused():
    for name in ("", "RSA_1024", "SM2", "ML_KEM_512", "symmetric_default"):
        assert reason_of(spec_named, name) is Reason.UNSUPPORTED
        assert reason_of(dispatch.generate, name) is Reason.UNSUPPORTED
        assert reason_of(dispatch.load, name, b"") is Reason.UNSUPPORTED


@pytest.mark.parametrize("name", QUICK)
def test_data_key_pairs(name):
    if name == "SYMMETRIC_DEFAULT" or name.startswith(("HMAC", "ML_DSA")):
        assert reason_of(pairs.generate_pair, name) is Reason.UNSUPPORTED
        return
    private, public = pairs.generate_pair(name)
    key = serialization.load_der_private_key(private, None)
    assert (
        key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        == public
    )


def test_usages_in_the_table_are_those_of_the_reference():
    assert SPECS["ECC_NIST_P521"].usages == (KeyUsage.SIGN_VERIFY, KeyUsage.KEY_AGREEMENT)
    assert SPECS["ECC_SECG_P256K1"].usages == (KeyUsage.SIGN_VERIFY,)
    assert SPECS["RSA_4096"].plaintext_bytes_max == {
        "RSAES_OAEP_SHA_1": 470,
        "RSAES_OAEP_SHA_256": 446,
    }
