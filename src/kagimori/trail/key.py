"""The audit key of a deployment: made at first need, kept as a token, its public half shown.

deployment.audit_key            the token, which the HSM alone opens
deployment.audit_public_key     DER
audit/public-key.pem            the same in PEM, for whoever verifies a copy of the folder
"""

import base64
import sqlite3
import textwrap
from collections.abc import Callable
from hashlib import sha256

from msgspec import Struct

from kagimori.deployment.folder import Layout, Unusable
from kagimori.hsm.process import HsmRefused
from kagimori.machinery.files import write_whole
from kagimori.machinery.store.sqlite import open_database
from kagimori.rules.chain.digest import ToSign
from kagimori.trail.reader import PUBLIC_KEY_NAME
from kagimori_boundary.commands import Command, CreateAuditKey, SignDigest
from kagimori_boundary.replies import NewKey, Reply


class AuditKey(Struct, frozen=True):
    """The token, and the public half."""

    token: bytes
    pem: bytes
    fingerprint: str

    def command(self, to_sign: ToSign) -> SignDigest:
        """Return the command that signs a digest."""
        return SignDigest(
            self.token,
            to_sign.end_time,
            to_sign.bucket,
            to_sign.object_name,
            sha256(to_sign.content).digest(),
            bytes.fromhex(to_sign.previous_signature or ""),
        )


def audit_key(layout: Layout, ask: Callable[[Command], Reply]) -> AuditKey:
    """Return the audit key, made now if there is none; its public half lies in the audit folder.

    Raises:
        HsmRefused, OSError, sqlite3.Error: it could not be made or kept.
    """
    key = stored_audit_key(layout)
    if key is None:
        made = ask(CreateAuditKey())
        if not isinstance(made, NewKey):
            raise HsmRefused("the HSM answered something else")
        _keep(layout, made.key_token, made.public_key)
        key = stored_audit_key(layout)
    if key is None:
        raise Unusable("the audit key was not kept")
    public = layout.audit / PUBLIC_KEY_NAME
    if not public.exists() or public.read_bytes() != key.pem:
        write_whole(public, key.pem, 0o644)
    return key


def stored_audit_key(layout: Layout) -> AuditKey | None:
    """Return the audit key that the store has, if it has one."""
    connection = open_database(layout.database)
    try:
        rows = dict(
            connection.execute("SELECT name, value FROM deployment WHERE name LIKE 'audit_%'")
        )
    finally:
        connection.close()
    if "audit_key" not in rows or "audit_public_key" not in rows:
        return None
    public_key = rows["audit_public_key"]
    return AuditKey(rows["audit_key"], _pem(public_key), sha256(public_key).hexdigest())


def _pem(public_key: bytes) -> bytes:
    """Return a public key (DER, SubjectPublicKeyInfo) as PEM."""
    lines = textwrap.wrap(base64.b64encode(public_key).decode(), 64)
    return "\n".join(
        ("-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", "")
    ).encode()


def _keep(layout: Layout, token: bytes, public_key: bytes) -> None:
    connection: sqlite3.Connection = open_database(layout.database)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT OR IGNORE INTO deployment (name, value) VALUES (?, ?)",
            (("audit_key", token), ("audit_public_key", public_key)),
        )
        connection.execute("COMMIT")
    finally:
        connection.close()
