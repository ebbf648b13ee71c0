"""The audit key of a deployment: made by `init`, kept as a token, its public half shown.

audit_keys in the store         the token, which the HSM alone opens, and the public half
audit/public-key.pem            the public half in PEM, for whoever verifies a copy of the folder
"""

import base64
import textwrap
import time
from collections.abc import Callable
from hashlib import sha256

from msgspec import Struct

from kagimori.deployment.facts import Facts
from kagimori.deployment.folder import Layout, Unusable
from kagimori.deployment.integrity import arm
from kagimori.deployment.opened import opened
from kagimori.entities.tables import AUDIT_KEYS
from kagimori.hsm.process import HsmRefused
from kagimori.machinery.chance import new_uuid
from kagimori.machinery.files import write_whole
from kagimori.machinery.store.admin import AdminStore, Change
from kagimori.ports import Put, StoreConflict
from kagimori.rules.chain.digest import ToSign
from kagimori.rules.keys.audit_key import NAME, StoredAuditKey
from kagimori.rules.records.service_event import audit_key_created
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
    """Return the audit key; its public half lies in the audit folder.

    A deployment that has none yet, because an older version made it, gets one now.

    Raises:
        HsmRefused: none could be made.
        Unusable: the store or the audit folder cannot be written.
    """
    with opened(layout.data) as deployment:
        arm(deployment.store, layout, ask)
        key = stored_audit_key(deployment.store)
        if key is None:
            try:
                change = new_audit_key(deployment.facts, ask, round(time.time(), 3))
                deployment.store.commit(change.writes, change.record)
            except StoreConflict:
                pass  # somebody else has made one
            key = stored_audit_key(deployment.store)
    if key is None:
        raise Unusable("the audit key was not kept")
    public = layout.audit_public_key
    if not public.exists() or public.read_bytes() != key.pem:
        write_whole(public, key.pem, 0o644)
    return key


def stored_audit_key(store: AdminStore) -> AuditKey | None:
    """Return the audit key that a store has, if it has one.

    Raises:
        StoreUnusable: it cannot be read.
    """
    stored: StoredAuditKey | None = store.one(AUDIT_KEYS, (NAME,))
    if stored is None:
        return None
    public_key = stored.public_key
    return AuditKey(stored.token, _pem(public_key), sha256(public_key).hexdigest())


def new_audit_key(facts: Facts, ask: Callable[[Command], Reply], now: float) -> Change:
    """Return the change that keeps a new audit key, which the HSM makes.

    Raises:
        HsmRefused: none was made.
    """
    made = ask(CreateAuditKey())
    if not isinstance(made, NewKey) or made.public_key is None:
        raise HsmRefused("the HSM answered something else")
    return Change(
        [Put(AUDIT_KEYS, StoredAuditKey(token=made.key_token, public_key=made.public_key))],
        audit_key_created(
            event_id=new_uuid(),
            now=now,
            account_id=facts.operator_account_id,
            region=facts.home_region,
            fingerprint=sha256(made.public_key).hexdigest(),
        ),
    )


def _pem(public_key: bytes) -> bytes:
    """Return a public key (DER, SubjectPublicKeyInfo) as PEM."""
    lines = textwrap.wrap(base64.b64encode(public_key).decode(), 64)
    return "\n".join(
        ("-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", "")
    ).encode()
