"""Every command that uses a key, on every key there can be: what the token is for, and no more."""

import msgspec
import pytest

from kagimori_boundary import commands
from kagimori_boundary.commands import BoundToken, Role
from kagimori_boundary.key_specs import SPECS, Family, KeyUsage
from kagimori_boundary.replies import Failed, Failure, NewKey
from kagimori_hsm.module import Module

ACCOUNT, REGION = "111122223333", "us-east-1"
FORBIDDEN = Failed(Failure.FORBIDDEN)
SYMMETRIC = "SYMMETRIC_DEFAULT"
ALGORITHMS = sorted(
    {name for spec in SPECS.values() for some in spec.algorithms.values() for name in some}
)
KINDS = [(spec.name, usage) for spec in SPECS.values() for usage in spec.usages]

# Each command as the table has it: the usage that it needs, and whether an algorithm is named.
USES = {
    "Encrypt": (KeyUsage.ENCRYPT_DECRYPT, lambda t, a: commands.Encrypt(t, a, b"x", {})),
    "Decrypt": (KeyUsage.ENCRYPT_DECRYPT, lambda t, a: commands.Decrypt(t, a, b"x" * 100, {})),
    "Sign": (KeyUsage.SIGN_VERIFY, lambda t, a: commands.Sign(t, a, "RAW", b"x")),
    "Verify": (KeyUsage.SIGN_VERIFY, lambda t, a: commands.Verify(t, a, "RAW", b"x", b"y" * 64)),
    "GenerateMac": (KeyUsage.GENERATE_VERIFY_MAC, lambda t, a: commands.GenerateMac(t, a, b"x")),
    "VerifyMac": (KeyUsage.GENERATE_VERIFY_MAC, lambda t, a: commands.VerifyMac(t, a, b"x", b"y")),
    "DeriveSharedSecret": (
        KeyUsage.KEY_AGREEMENT,
        lambda t, a: commands.DeriveSharedSecret(t, a, b"x"),
    ),
    "Encapsulate": (KeyUsage.ENCAPSULATE_DECAPSULATE, commands.Encapsulate),
    "Decapsulate": (
        KeyUsage.ENCAPSULATE_DECAPSULATE,
        lambda t, a: commands.Decapsulate(t, a, b"x"),
    ),
}
# These use the symmetric algorithm, and no other.
WITH_SYMMETRIC = {
    "GenerateDataKey": lambda t: commands.GenerateDataKey(t, 32, {}, with_plaintext=True),
    "GenerateDataKeyPair": lambda t: commands.GenerateDataKeyPair(
        t, "ECC_NIST_P256", {}, with_plaintext=True
    ),
}
NO_USE = {"ReplicateMaterial", "ForgetMaterial"}


@pytest.fixture(scope="module")
def module():
    made = Module(bytes(32), memory_locked=False)
    made.self_test()
    made.perform(Role.OPERATOR, commands.CreateDomains(["identity", REGION]))
    return made


@pytest.fixture(scope="module")
def tokens(module):
    """A key of each spec and usage."""
    found = {}
    for spec, usage in KINDS:
        if spec in ("RSA_3072", "RSA_4096"):
            continue  # they take seconds to make, and are no other case than RSA_2048
        new = ask(module, commands.GenerateKey(ACCOUNT, REGION, "k1", spec, usage, "AWS_KMS"))
        assert isinstance(new, NewKey), (spec, usage, new)
        found[spec, usage] = BoundToken(
            ACCOUNT, REGION, "k1", spec, usage, "AWS_KMS", new.material_id, new.key_token
        )
    return found


def ask(module, command):
    return module.perform(Role.WORKER, command)


def encoded(bound):
    return msgspec.msgpack.encode(bound)


def test_every_command_with_a_bound_token_is_in_this_walk():
    with_token = {
        kind.__name__
        for kind in commands.Command.__args__
        if {"bound_token", "bound_tokens", "source", "key_tokens"} & set(kind.__struct_fields__)
    }
    assert with_token == {*USES, *WITH_SYMMETRIC, *NO_USE, "ReEncrypt"}


@pytest.mark.parametrize("name", USES)
def test_a_key_does_what_its_token_is_for_and_nothing_else(module, tokens, name):
    needed, command = USES[name]
    for (spec, usage), bound in tokens.items():
        for algorithm in [*ALGORITHMS, "", "NO_SUCH"]:
            reply = ask(module, command(encoded(bound), algorithm))
            may = usage == needed and algorithm in SPECS[spec].algorithms[usage]
            assert (reply != FORBIDDEN) is may, (spec, usage, algorithm, reply)
            assert reply != Failed(Failure.INTERNAL)


@pytest.mark.parametrize("name", WITH_SYMMETRIC)
def test_data_keys_are_made_under_symmetric_keys_alone(module, tokens, name):
    for (spec, usage), bound in tokens.items():
        reply = ask(module, WITH_SYMMETRIC[name](encoded(bound)))
        assert (reply != FORBIDDEN) is (spec == SYMMETRIC), (spec, usage, reply)


def test_re_encryption_needs_both_keys_to_encrypt(module, tokens):
    symmetric = encoded(tokens[SYMMETRIC, KeyUsage.ENCRYPT_DECRYPT])
    blob = ask(module, commands.Encrypt(symmetric, SYMMETRIC, b"x", {})).value
    for (spec, usage), bound in tokens.items():
        algorithm = SPECS[spec].algorithms[usage][0]
        there = commands.ReEncrypt(symmetric, SYMMETRIC, blob, {}, encoded(bound), algorithm, {})
        back = commands.ReEncrypt(encoded(bound), algorithm, blob, {}, symmetric, SYMMETRIC, {})
        may = usage == KeyUsage.ENCRYPT_DECRYPT
        assert (ask(module, there) != FORBIDDEN) is may, (spec, usage)
        assert (ask(module, back) != FORBIDDEN) is may, (spec, usage)


def spoilt(bound):
    return {
        "of another account": msgspec.structs.replace(bound, account_id="444455556666"),
        "of another key": msgspec.structs.replace(bound, key_id="k2"),
        "of a region without a domain": msgspec.structs.replace(bound, region="eu-west-1"),
        "of another origin": msgspec.structs.replace(bound, origin="EXTERNAL"),
        "with another material": msgspec.structs.replace(bound, material_id=bytes(32)),
        "altered": msgspec.structs.replace(bound, key_token=bound.key_token[:-1] + b"\x00\x00"),
        "empty": msgspec.structs.replace(bound, key_token=b""),
    }


def uses_of(token, spec, usage):
    algorithm = SPECS[spec].algorithms[usage][0]
    for needed, command in USES.values():
        if needed == usage:
            yield command(token, algorithm)
    if spec == SYMMETRIC:
        yield from (command(token) for command in WITH_SYMMETRIC.values())


def test_a_token_in_any_other_state_is_of_no_use(module, tokens):
    for (spec, usage), bound in tokens.items():
        for state, other in spoilt(bound).items():
            for command in uses_of(encoded(other), spec, usage):
                reply = ask(module, command)
                assert reply == Failed(Failure.TOKEN_REFUSED), (spec, usage, state, command)


def test_a_usage_that_is_written_over_is_of_no_use(module, tokens):
    """A worker that was taken over says that a key is for something else."""
    for (spec, usage), bound in tokens.items():
        for other in KeyUsage:
            if other != usage:
                changed = encoded(msgspec.structs.replace(bound, key_usage=other))
                for needed, command in USES.values():
                    if needed == other:
                        for algorithm in ALGORITHMS:
                            reply = ask(module, command(changed, algorithm))
                            assert reply == Failed(Failure.TOKEN_REFUSED), (spec, usage, other)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("usage", [*KeyUsage, "", "EVERYTHING"])
def test_no_key_is_made_for_what_its_spec_is_not(module, spec, usage):
    if usage in SPECS[spec].algorithms:
        if SPECS[spec].family is Family.RSA:
            return  # made in the test above
        expected = NewKey
    else:
        expected = Failed
    reply = ask(module, commands.GenerateKey(ACCOUNT, REGION, "k", spec, usage, "AWS_KMS"))
    assert isinstance(reply, expected)
    if expected is Failed:
        assert reply == FORBIDDEN
