"""Other people's cryptography: the `openssl` command, and how key material is wrapped for import."""

import os
import subprocess
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding

RSA_PSS = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest")
CURVES = {
    "ECC_NIST_P256": "P-256",
    "ECC_NIST_P384": "P-384",
    "ECC_NIST_P521": "P-521",
    "ECC_SECG_P256K1": "secp256k1",
}


def openssl(*arguments, **files):
    """Run openssl in a folder that holds `files`; return what it wrote to `out`, else to stdout.

    Raises:
        CalledProcessError: it failed.
    """
    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        done = subprocess.run(
            ["openssl", *arguments], cwd=folder, capture_output=True, timeout=60, check=True
        )
        out = Path(folder) / "out"
        return out.read_bytes() if out.exists() else done.stdout


def accepts(*arguments, **files):
    """Return whether openssl ends well."""
    try:
        openssl(*arguments, **files)
    except subprocess.CalledProcessError:
        return False
    return True


def new_private_key(key_spec):
    """Return a private key made by openssl, as PKCS#8 DER."""
    if key_spec.startswith("RSA"):
        kind = ("-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{key_spec[4:]}")
    elif key_spec in CURVES:
        kind = ("-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{CURVES[key_spec]}")
    else:
        kind = ("-algorithm", "ED25519")
    made = openssl("genpkey", *kind, "-outform", "PEM", "-out", "out")
    to_pkcs8 = ("pkcs8", "-topk8", "-nocrypt", "-in", "key", "-outform", "DER", "-out", "out")
    return openssl(*to_pkcs8, key=made)


def public_key_of(private_key):
    """Return the public half of PKCS#8 DER as openssl writes it, as SPKI DER."""
    form = ("-inform", "DER", "-outform", "DER")
    return openssl("pkey", "-in", "key", *form, "-pubout", "-out", "out", key=private_key)


def _signing(algorithm):
    """Return the openssl command and its options for a signing algorithm."""
    if algorithm.startswith("ED25519"):
        return "pkeyutl", ("-rawin",)
    return "dgst", (f"-sha{algorithm[-3:]}", *(RSA_PSS if "PSS" in algorithm else ()))


def sign(private_key, algorithm, message):
    """Return openssl's signature of a message."""
    command, options = _signing(algorithm)
    form = ("-keyform", "DER", "-out", "out")
    if command == "dgst":
        return openssl(
            command, *options, "-sign", "key", *form, "in", **{"key": private_key, "in": message}
        )
    return openssl(
        command, "-sign", "-inkey", "key", *options, *form, "-in", "in",
        **{"key": private_key, "in": message},
    )  # fmt: skip


def verifies(public_key, algorithm, message, signature):
    """Return whether openssl accepts a signature; the public key is SPKI DER."""
    command, options = _signing(algorithm)
    files = {"key": public_key, "in": message, "signature": signature}
    if command == "dgst":
        given = ("-verify", "key", "-keyform", "DER", "-signature", "signature", "in")
        return accepts(command, *options, *given, **files)
    given = ("-verify", "-pubin", "-inkey", "key", "-keyform", "DER", "-in", "in")
    return accepts(command, *given, *options, "-sigfile", "signature", **files)


def wrapped(public_key, algorithm, material):
    """Return key material wrapped under the public key (SPKI DER) that came with a token."""
    name = algorithm.rpartition("SHA_")[2]
    digest = {"1": hashes.SHA1, "256": hashes.SHA256}[name]()
    oaep = padding.OAEP(mgf=padding.MGF1(digest), algorithm=digest, label=None)
    key = serialization.load_der_public_key(public_key)
    if algorithm.startswith("RSAES"):
        return key.encrypt(material, oaep)
    aes_key = os.urandom(32)
    return key.encrypt(aes_key, oaep) + aes_key_wrap_with_padding(aes_key, material)


def wrapping_algorithm(key_spec):
    """Return one way in which material of a key spec may be wrapped."""
    return "RSA_AES_KEY_WRAP_SHA_256" if key_spec.startswith("RSA") else "RSAES_OAEP_SHA_256"


def imported(kms, key_id, material, **options):
    """Import material into a KMS key; return the answer. Without `options` it never expires."""
    key_spec = kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeySpec"]
    algorithm = wrapping_algorithm(key_spec)
    parameters = kms.get_parameters_for_import(
        KeyId=key_id,
        WrappingAlgorithm=algorithm,
        WrappingKeySpec="RSA_3072" if key_spec.endswith("P521") else "RSA_2048",
    )
    if "ExpirationModel" not in options and "ValidTo" not in options:
        options["ExpirationModel"] = "KEY_MATERIAL_DOES_NOT_EXPIRE"
    return kms.import_key_material(
        KeyId=key_id,
        ImportToken=parameters["ImportToken"],
        EncryptedKeyMaterial=wrapped(parameters["PublicKey"], algorithm, material),
        **options,
    )


def new_imported_key(kms, material, key_spec="SYMMETRIC_DEFAULT", usage=None, **options):
    """Return the ARN of a new KMS key with this material."""
    usual = {"SYM": "ENCRYPT_DECRYPT", "HMA": "GENERATE_VERIFY_MAC"}.get(
        key_spec[:3], "SIGN_VERIFY"
    )
    made = kms.create_key(KeySpec=key_spec, KeyUsage=usage or usual, Origin="EXTERNAL", **options)
    arn = made["KeyMetadata"]["Arn"]
    imported(kms, arn, material)
    return arn
