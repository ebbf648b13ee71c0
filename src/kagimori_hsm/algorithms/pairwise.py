"""Pairwise consistency: what the private half of a new key pair does, the public half must undo.

A pair that fails says that the module cannot be trusted any more: it goes into its error state.

Source: NIST FIPS 140-3 (ISO/IEC 19790), 7.10.3.3, pair-wise consistency test.
"""

from typing import Final

from kagimori_hsm.algorithms import dispatch
from kagimori_hsm.algorithms.specs import KeyUsage, spec_named
from kagimori_hsm.refused import Refused

_MESSAGE: Final = b"pairwise consistency"


class PairInconsistent(Exception):
    """The halves of a new key pair do not belong together; `str` names the spec or algorithm."""


def generate(spec: str) -> bytes:
    """Return new material for a spec, as `dispatch.generate` does, once it has been tried.

    Raises:
        Refused: UNSUPPORTED, an unknown spec.
        PairInconsistent: the new pair fails.
    """
    material = dispatch.generate(spec)
    algorithms = spec_named(spec).algorithms
    try:
        if KeyUsage.SIGN_VERIFY in algorithms:
            _sign_and_verify(spec, material, algorithms[KeyUsage.SIGN_VERIFY][0])
        elif KeyUsage.ENCAPSULATE_DECAPSULATE in algorithms:
            _encapsulate_and_back(spec, material, algorithms[KeyUsage.ENCAPSULATE_DECAPSULATE][0])
    except Refused:
        raise PairInconsistent(spec) from None
    return material


def _sign_and_verify(spec: str, material: bytes, algorithm: str) -> None:
    loaded = dispatch.load(spec, material)
    signature = dispatch.sign(spec, loaded, algorithm, "RAW", _MESSAGE)
    dispatch.verify(spec, loaded, algorithm, "RAW", _MESSAGE, signature)


def _encapsulate_and_back(spec: str, material: bytes, algorithm: str) -> None:
    loaded = dispatch.load(spec, material)
    secret, ciphertext = dispatch.encapsulate(spec, loaded, algorithm)
    if dispatch.decapsulate(spec, loaded, algorithm, ciphertext) != secret:
        raise PairInconsistent(spec)
