"""The known answers of every algorithm that the HSM uses: `known_answers.json`, as objects.

The file is written by `specs/vectors/self_tests.py` from the published files, and a test holds it
against them. It is read once, when the module is loaded.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from kagimori_hsm.self_tests.failed import Passed, SelfTestFailed
from kagimori_hsm.self_tests.pair_answers import (
    Agreement,
    Decryption,
    Encapsulation,
    Hpke,
    Prehashed25519,
    Pss,
    RepeatableEcdsa,
    Signature,
)
from kagimori_hsm.self_tests.symmetric_answers import (
    Argon2,
    Cbc,
    CounterKdf,
    Digest,
    ExtractAndExpand,
    Gcm,
    KeyUnwrap,
    Mac,
    OneTimeCode,
    Scrypt,
)

Answer = (
    Digest
    | Mac
    | CounterKdf
    | ExtractAndExpand
    | Scrypt
    | Argon2
    | Gcm
    | Cbc
    | KeyUnwrap
    | OneTimeCode
    | Signature
    | RepeatableEcdsa
    | Pss
    | Prehashed25519
    | Decryption
    | Agreement
    | Encapsulation
    | Hpke
)
FILE: Final = Path(__file__).with_name("known_answers.json")


def read_answers(content: bytes) -> tuple[Answer, ...]:
    """Return the answers in the form of the file."""
    answers: tuple[Answer, ...] = msgspec.json.decode(content, type=tuple[Answer, ...])
    return answers


def check_answers(answers: Sequence[Answer]) -> list[Passed]:
    """Repeat every computation; return what passed.

    Raises:
        SelfTestFailed: by the first that fails.
    """
    passed = []
    for answer in answers:
        try:
            answer.check()
        except SelfTestFailed:
            raise
        except Exception as problem:  # noqa: BLE001 - its text could hold input, and its kind says enough
            raise SelfTestFailed(f"{answer.name} fails: {type(problem).__name__}") from None
        passed.append(Passed(answer.name, answer.source))
    return passed


ANSWERS: Final = read_answers(FILE.read_bytes())
