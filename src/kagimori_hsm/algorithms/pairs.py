"""Makes data key pairs, which the HSM does not keep.

Source: AWS KMS API Reference, GenerateDataKeyPair; RFC 5958 (PKCS#8), RFC 5280 (public key).
"""

from kagimori_hsm.algorithms import dispatch, pairwise
from kagimori_hsm.algorithms.specs import spec_named
from kagimori_hsm.refused import Reason, Refused


def generate_pair(spec: str) -> tuple[bytes, bytes]:
    """Return the private key (PKCS#8 DER; ML-KEM in seed form) and the public key (SPKI DER).

    Raises:
        Refused: UNSUPPORTED, not a KeyPairSpec.
    """
    if not spec_named(spec).data_key_pair:
        raise Refused(Reason.UNSUPPORTED)
    material = pairwise.generate(spec)
    return material, dispatch.public_key(spec, dispatch.load(spec, material))
