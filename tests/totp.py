"""What a virtual MFA device shows: RFC 6238 in few words, written apart from the HSM's."""

import base64
import hashlib
import hmac
import struct


def code(base32_seed, moment):
    """Return the six digits for a moment, in seconds since the epoch."""
    seed = base64.b32decode(base32_seed)
    digest = hmac.new(seed, struct.pack(">Q", int(moment // 30)), hashlib.sha1).digest()
    start = digest[19] % 16
    (number,) = struct.unpack(">I", digest[start : start + 4])
    return str(number % 2**31 % 10**6).zfill(6)
