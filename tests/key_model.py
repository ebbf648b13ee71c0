"""The model of a key's life: its state, its materials, its dates, and all that it ever made.

Source: reference, sections 4, 7, 8, 12 and 17.
"""

from dev_clock import DAY

HOME, ABROAD = "us-east-1", "eu-west-1"
ENABLED, DISABLED, PENDING_IMPORT = "Enabled", "Disabled", "PendingImport"
PENDING_DELETION, PENDING_REPLICA = "PendingDeletion", "PendingReplicaDeletion"
GONE = "gone"
SIGNING, MAC = "ECDSA_SHA_256", "HMAC_SHA_256"
STRANGER = "arn:aws:iam::111122223333:root"
INVALID_STATE, UNSUPPORTED = "KMSInvalidStateException", "UnsupportedOperationException"
WRONG_USAGE = "InvalidKeyUsageException"
UNUSABLE = {
    ENABLED: None,
    DISABLED: "DisabledException",
    PENDING_IMPORT: INVALID_STATE,
    PENDING_DELETION: INVALID_STATE,
    PENDING_REPLICA: INVALID_STATE,
    GONE: "NotFoundException",
}
NOT_PENDING_DELETION = {
    **dict.fromkeys(UNUSABLE),
    PENDING_DELETION: INVALID_STATE,
    PENDING_REPLICA: INVALID_STATE,
    GONE: "NotFoundException",
}
SECONDS_SLACK = 30.0
# How a key of each kind is made; all but the last two encrypt.
KINDS = {
    "plain": {},
    "external": {"Origin": "EXTERNAL"},
    "multi": {"MultiRegion": True},
    "signing": {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"},
    "mac": {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
}


class Material:
    """Imported bytes; `valid_to` is None for ever, `present` whether KMS has them now."""

    def __init__(self, content, valid_to, *, waits):
        self.content, self.valid_to, self.waits = content, valid_to, waits
        self.present = True


class Member:
    """One key in one Region."""

    def __init__(self, key, region, state):
        self.key, self.region, self.state = key, region, state
        self.deletion_at = self.window_days = None
        self.aliases, self.grants = set(), set()

    @property
    def arn(self):
        return self.key.arn.replace(f":{HOME}:", f":{self.region}:")

    @property
    def is_primary(self):
        return self.key.primary is self


class Key:
    """A key and what its members share."""

    def __init__(self, arn, kind):
        self.arn, self.kind = arn, kind
        self.primary = Member(self, HOME, PENDING_IMPORT if kind == "external" else ENABLED)
        self.members = [self.primary]
        self.ciphertexts = []  # plaintext and blob
        self.proofs = []  # message, and the signature or MAC over it
        self.rotations = 0
        self.period = self.next_at = None
        self.materials = []

    @property
    def encrypts(self):
        return self.kind not in ("signing", "mac")

    @property
    def replicas(self):
        return [m for m in self.members if not m.is_primary and m.state != GONE]

    @property
    def waiting(self):
        return next((m for m in self.materials if m.waits), None)

    @property
    def is_whole(self):
        used = [m for m in self.materials if not m.waits]
        return self.kind != "external" or (bool(used) and all(m.present for m in used))

    def rotate(self, time):
        self.rotations += 1
        if self.next_at is not None and self.next_at <= time:
            while self.next_at <= time:
                self.next_at += self.period * DAY

    def settle(self):
        """Bring the state of imported keys in line with their materials."""
        if self.kind != "external":
            return
        if not self.is_whole and self.primary.state in (ENABLED, DISABLED):
            self.primary.state = PENDING_IMPORT
        elif self.is_whole and self.primary.state == PENDING_IMPORT:
            self.primary.state = ENABLED
