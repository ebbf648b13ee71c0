"""A stand-in for the HSM: a reply of the right kind to each command, without cryptography."""

import hashlib

from kagimori_boundary import commands, replies
from kagimori_boundary.ciphertext_form import CIPHERTEXT_VERSION, HEADER_BYTES, TAG_BYTES

SECRET = "secret-access-key"
STEP = 60_000_000
_FIXED = {
    commands.GenerateDataKey: replies.NewDataKey(b"plaintext", b"ciphertext"),
    commands.GenerateDataKeyPair: replies.NewKeyPair(b"private", b"ciphertext", b"public"),
    commands.CreateImportParameters: replies.ImportParameters(b"import token", b"public"),
    commands.Encapsulate: replies.Encapsulated(b"shared secret", b"ciphertext"),
    commands.CreateSecretOnBehalf: replies.NewSecret(SECRET, b"sealed"),
    commands.CreateMfaSeed: replies.NewSeed("BASE32", b"sealed"),
    commands.CreateBackupKey: replies.NewBackupKey(b"k" * 32, b"wrapped", b"sample"),
    commands.TakeCodes: replies.TakenCode(STEP, 0),
}
_MAKING = (commands.GenerateKey, commands.ImportMaterial, commands.StoreMaterial)


def reply_to(command):
    """Return the reply to a command; None if nothing was asked."""
    if command is None:
        return None
    if isinstance(command, _MAKING):
        token = f"{command.region} {command.key_id}".encode()
        return replies.NewKey(hashlib.sha256(token).digest(), token, b"public")
    if isinstance(command, commands.ReplicateMaterial):
        return replies.Tokens([token + b" replica" for token in command.bound_tokens])
    if isinstance(command, commands.CreateSession):
        taken = None if command.code is None else replies.TakenCode(STEP + 1, 0)
        return replies.NewSession(SECRET, b"token", taken)
    return _FIXED.get(type(command), replies.Bytes(b"value"))


def ciphertext_of(material_id):
    """Return what is taken for a ciphertext made with this material (hex)."""
    header = bytes((CIPHERTEXT_VERSION,)) + bytes.fromhex(material_id)
    return header.ljust(HEADER_BYTES, b"\0") + bytes(TAG_BYTES)
