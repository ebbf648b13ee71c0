"""Verifies digests and checkpoints against each other, and derives what journals must contain.

A checkpoint is a digest that was copied elsewhere when it was made. It still shows when
somebody put an older state of everything, digests included, in place.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from kagimori.rules.chain import findings as kinds
from kagimori.rules.chain.digest import (
    BUCKET,
    BadDigest,
    Digest,
    SignedDigest,
    decode_file,
    object_name,
)
from kagimori.rules.chain.findings import Beginning, Expectation, Finding
from kagimori.rules.chain.public_key import AuditPublicKey

PLACE = "digests"


class Demands(Struct, frozen=True):
    """The expectations of the journals, by stream, and findings about the digests themselves."""

    expectations: Mapping[str, Sequence[Expectation]]
    beginnings: Mapping[str, Beginning]
    digests: Sequence[SignedDigest]
    findings: Sequence[Finding]


def hold_digests(
    files: Sequence[tuple[str, bytes]],
    checkpoints: Sequence[tuple[str, bytes]],
    public_key: AuditPublicKey,
) -> Demands:
    """Return the demands of digests and checkpoints, both by file name, on the journals."""
    findings: list[Finding] = []
    digests = _follow(files, public_key, findings)
    held = list(digests)
    held += _hold_checkpoints(checkpoints, digests, public_key, findings)
    expectations: dict[str, list[Expectation]] = {}
    for signed in held:
        is_checkpoint = signed not in digests
        source = f"{'checkpoint' if is_checkpoint else 'digest'} {signed.digest.number}"
        for end in signed.digest.streams:
            if end.newest_sequence:
                wanted = Expectation(end.newest_sequence, end.newest_hash, source)
                expectations.setdefault(end.stream, []).append(wanted)
    newest = digests[-1].digest if digests else None
    return Demands(expectations, _beginnings(newest), digests, findings)


def _beginnings(newest: Digest | None) -> dict[str, Beginning]:
    if newest is None:
        return {}
    source = f"digest {newest.number}"
    return {
        end.stream: Beginning(end.first_sequence, end.first_previous, source)
        for end in newest.streams
    }


def _follow(
    files: Sequence[tuple[str, bytes]], public_key: AuditPublicKey, findings: list[Finding]
) -> list[SignedDigest]:
    """Return the digests that hold, in order."""
    held: list[SignedDigest] = []
    number_before = 0
    for name, content in files:
        try:
            signed = _verified(content, public_key)
        except BadDigest as bad:
            findings.append(Finding(kinds.DIGEST_CHANGED, str(bad), PLACE, name))
            number_before += 1
            continue
        digest = signed.digest
        if digest.digest_s3_bucket != BUCKET or f"{PLACE}/{name}" != digest.digest_s3_object:
            text = f"says that it is {digest.digest_s3_object}: moved"
            findings.append(Finding(kinds.DIGEST_CHANGED, text, PLACE, name))
        if digest.number > number_before + 1:
            text = f"digests {number_before + 1} to {digest.number - 1} missing before this one"
            findings.append(Finding(kinds.DIGEST_REMOVED, text, PLACE, name))
        elif held and digest.number == held[-1].digest.number + 1:
            _hold_to_previous(signed, held[-1], name, findings)
        number_before = digest.number
        held.append(signed)
    return held


def _hold_to_previous(
    signed: SignedDigest, before: SignedDigest, name: str, findings: list[Finding]
) -> None:
    digest = signed.digest
    named = (digest.previous_digest_hash_value, digest.previous_digest_signature)
    if named != (before.content_hash, before.signature):
        text = f"names another digest {before.digest.number} than the one that is there"
        findings.append(Finding(kinds.DIGEST_FORGED, text, PLACE, name))


def _hold_checkpoints(
    checkpoints: Sequence[tuple[str, bytes]],
    digests: Sequence[SignedDigest],
    public_key: AuditPublicKey,
    findings: list[Finding],
) -> list[SignedDigest]:
    """Return the checkpoints that digests do not already say."""
    by_number = {signed.digest.number: signed for signed in digests}
    newest = max(by_number, default=0)
    further = []
    for name, content in checkpoints:
        try:
            signed = _verified(content, public_key)
        except BadDigest as bad:
            why = f"{bad}: this trail is not the one it was taken of, or the copy was changed"
            findings.append(Finding(kinds.CHECKPOINT, why, "checkpoints", name))
            continue
        number = signed.digest.number
        if number > newest:
            text = (
                f"checkpoint {number} of {signed.digest.digest_end_time} is newer than the newest "
                f"digest here ({newest}): an older state of the data was put in place"
            )
            findings.append(Finding(kinds.OLD_DATA, text, "checkpoints", name))
        elif number in by_number and by_number[number].content != signed.content:
            text = f"digest {number} is not the one that checkpoint {number} is a copy of"
            findings.append(Finding(kinds.DIGEST_FORGED, text, "checkpoints", name))
        elif number in by_number:
            continue
        further.append(signed)
    return further


def _verified(content: bytes, public_key: AuditPublicKey) -> SignedDigest:
    signed = decode_file(content)
    public_key.verify(signed)
    if signed.digest.digest_s3_object != object_name(signed.digest.number):
        raise BadDigest("its number is not that of its name")
    return signed
