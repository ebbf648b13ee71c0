"""The commands that make, wrap and import key material on somebody's own machine.

Source: KMS Developer Guide, "Importing key material for AWS KMS keys"; openssl-pkeyutl(1).
"""

import shlex
from typing import Final

RSA: Final = "RSA_"
_OAEP: Final = "RSAES_OAEP_SHA_256"
_AES_WRAP: Final = "RSA_AES_KEY_WRAP_SHA_256"
_CURVES: Final = {
    "ECC_NIST_P256": "P-256",
    "ECC_NIST_P384": "P-384",
    "ECC_NIST_P521": "P-521",
    "ECC_SECG_P256K1": "secp256k1",
}


def wrapping_algorithm(key_spec: str) -> str:
    """Return the wrapping algorithm for material of a key spec; RSA keys are too long for OAEP."""
    return _AES_WRAP if key_spec.startswith(RSA) else _OAEP


def import_commands(key_spec: str, arn: str, *, endpoint: str, region: str) -> str:
    """Return a script for a shell with openssl and the AWS CLI."""
    aws = f"aws --endpoint-url {shlex.quote(endpoint)} --region {region} kms"
    key = f"--key-id {shlex.quote(arn)}"
    return f"""\
umask 077
{_made(key_spec)}

{aws} get-parameters-for-import {key} \\
  --wrapping-algorithm {wrapping_algorithm(key_spec)} --wrapping-key-spec RSA_4096 \\
  --query '[PublicKey,ImportToken]' --output text > parameters.txt
cut -f1 parameters.txt | openssl base64 -d -A > wrapping-key.der
cut -f2 parameters.txt | openssl base64 -d -A > token.bin

{_wrapped(key_spec)}

{aws} import-key-material {key} \\
  --encrypted-key-material fileb://wrapped.bin --import-token fileb://token.bin \\
  --expiration-model KEY_MATERIAL_DOES_NOT_EXPIRE"""


def _made(key_spec: str) -> str:
    if key_spec.startswith(RSA):
        bits = key_spec.removeprefix(RSA)
        return _private_key(f"-algorithm RSA -pkeyopt rsa_keygen_bits:{bits}")
    curve = _CURVES.get(key_spec)
    if curve is not None:
        return _private_key(f"-algorithm EC -pkeyopt ec_paramgen_curve:{curve}")
    if key_spec == "ECC_NIST_EDWARDS25519":
        return _private_key("-algorithm ED25519")
    size = int(key_spec.removeprefix("HMAC_")) // 8 if key_spec.startswith("HMAC_") else 32
    return f"openssl rand -out material.bin {size}"


def _private_key(algorithm: str) -> str:
    """Return the command for a key in PKCS#8: genpkey alone writes RSA keys in PKCS#1 as DER."""
    return (
        f"openssl genpkey {algorithm} | \\\n"
        "  openssl pkcs8 -topk8 -nocrypt -outform DER -out material.bin"
    )


def _wrapped(key_spec: str) -> str:
    oaep = (
        "openssl pkeyutl -encrypt -pubin -keyform DER -inkey wrapping-key.der \\\n"
        "  -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256"
    )
    if not key_spec.startswith(RSA):
        return f"{oaep} \\\n  -in material.bin -out wrapped.bin"
    return (
        "openssl rand -out aes.bin 32\n"
        f"{oaep} \\\n  -in aes.bin -out wrapped-aes.bin\n"
        "openssl enc -id-aes256-wrap-pad -e -iv A65959A6 \\\n"
        "  -K \"$(od -An -v -tx1 aes.bin | tr -d ' \\n')\" -in material.bin -out wrapped-key.bin\n"
        "cat wrapped-aes.bin wrapped-key.bin > wrapped.bin"
    )
