"""The audit trail of a deployment, or of a copy of its `audit` folder, seen from outside.

Nothing here needs a server, or the HSM: what `kagimori audit` does offline.
"""

from pathlib import Path
from typing import Any

from msgspec import Struct

from kagimori.deployment.audit_key import stored_audit_key
from kagimori.deployment.folder import PUBLIC_KEY_NAME, Layout, Unusable, is_locked
from kagimori.deployment.opened import opened
from kagimori.rules.chain import findings as kinds
from kagimori.rules.chain.audit_status import AuditStatus, StreamStatus
from kagimori.rules.chain.digest import BadDigest
from kagimori.rules.chain.digest_chain import PLACE, Demands, hold_digests
from kagimori.rules.chain.findings import Finding, StreamReport
from kagimori.rules.chain.public_key import AuditPublicKey
from kagimori.trail.expected import expected_of, missing
from kagimori.trail.index import AuditIndex, IndexUnusable, remove_index
from kagimori.trail.minted import hold_minted
from kagimori.trail.reader import (
    digest_files,
    json_files,
    newest_sequence_of,
    stream_folders,
    verify_streams,
)
from kagimori.trail.tail import TrailBroken

_NOT_COMPARED = (
    "the HSM's own journal cannot be read from here, so what the HSM made was not compared with "
    "the records: `kagimori audit verify` does that"
)


class Verification(Struct, frozen=True):
    """The result of a verification. `notes` list what it could not verify."""

    intact: bool
    records: int
    streams: tuple[StreamReport, ...]
    digests: int
    newest_digest_time: str | None
    key_fingerprint: str | None
    findings: tuple[Finding, ...]
    findings_more: int
    notes: tuple[str, ...]

    @property
    def is_missing(self) -> bool:
        """Return whether nothing is wrong but that something is missing."""
        kinds_found = {finding.kind for finding in self.findings}
        return kinds_found == {kinds.MISSING} and not self.findings_more

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "intact": self.intact,
            "records": self.records,
            "digests": self.digests,
            "newest_digest_time": self.newest_digest_time,
            "key_fingerprint": self.key_fingerprint,
            "streams": [
                {
                    "stream": report.stream,
                    "files": report.files,
                    "records": report.records,
                    "first_sequence": report.first_sequence,
                    "newest_sequence": report.newest.sequence,
                    "newest_hash": report.newest.line_hash,
                    "signed_to": report.signed_to,
                }
                for report in self.streams
            ],
            "findings": [
                {name: getattr(finding, name) for name in finding.__struct_fields__}
                for finding in self.findings
            ],
            "findings_more": self.findings_more,
            "notes": list(self.notes),
        }


def audit_folder(data: Path) -> Path:
    """Return the audit folder in a deployment's folder; or the folder itself, if it is one.

    Raises:
        Unusable: neither.
    """
    for folder in (data / "audit", data):
        if folder.is_dir() and (folder.name == "audit" or (folder / PLACE).is_dir()):
            return folder
    raise Unusable(f"{data} holds no audit trail")


def verify(
    data: Path,
    *,
    checkpoints: Path | None = None,
    public_key: Path | None = None,
    served: bool | None = None,
) -> Verification:
    """Verify every stream from its beginning, against all digests and checkpoints.

    `served` is whether a server writes to it now; None: see for yourself.

    Raises:
        Unusable: it cannot be read.
    """
    audit = audit_folder(data)
    try:
        return _verify(
            audit, checkpoints, public_key, growing=is_served(data) if served is None else served
        )
    except OSError as problem:
        raise Unusable(f"{problem.filename} cannot be read: {problem.strerror}") from None


def _verify(
    audit: Path, checkpoints: Path | None, public_key: Path | None, *, growing: bool
) -> Verification:
    key = _public_key(audit, public_key)
    # What is expected, and digests, before journals: all that they name is then there for sure,
    # though more may be coming.
    expected = expected_of(audit)
    demands = demands_of(audit, checkpoints, public_key)
    reports = verify_streams(audit, demands, growing=growing)
    findings = [*demands.findings, *(found for report in reports for found in report.findings)]
    findings += missing(
        expected,
        reports,
        fingerprint=None if key is None else key.fingerprint,
        is_signed=bool(demands.digests or demands.findings),
    )
    more = sum(report.findings_more for report in reports)
    records = sum(report.records for report in reports)
    if key is not None and not demands.digests and not demands.findings and records:
        findings.insert(0, Finding(kinds.DIGEST_REMOVED, "there is no digest at all", PLACE))
    compared = True
    try:
        findings += hold_minted(audit, growing=growing)
    except PermissionError:  # an API worker may not read what the HSM alone writes
        compared = False
    return Verification(
        intact=not findings and not more,
        records=records,
        streams=tuple(reports),
        digests=len(demands.digests),
        newest_digest_time=demands.digests[-1].digest.digest_end_time if demands.digests else None,
        key_fingerprint=key.fingerprint if key is not None else None,
        findings=tuple(findings),
        findings_more=more,
        notes=(
            *_notes(reports, key, given=public_key is not None, copies=checkpoints is not None),
            *(() if compared else (_NOT_COMPARED,)),
        ),
    )


def demands_of(audit: Path, checkpoints: Path | None, public_key: Path | None) -> Demands:
    """Return the demands of digests and checkpoints on the journals.

    Raises:
        Unusable: there is no checkpoint where some are said to be, or no such public key.
        OSError: something cannot be read.
    """
    key = _public_key(audit, public_key)
    digests = digest_files(audit)
    copies = [] if checkpoints is None else json_files(checkpoints)
    if checkpoints is not None and not copies:
        raise Unusable(f"{checkpoints} holds no checkpoint")
    if key is None:
        return Demands({}, {}, (), _without_key(digests, copies))
    return hold_digests(digests, copies, key)


def _without_key(digests: list[Any], copies: list[Any]) -> list[Finding]:
    if not digests and not copies:
        return []
    text = f"{PUBLIC_KEY_NAME} is gone, so no signature can be verified; give it with --public-key"
    return [Finding(kinds.DIGEST_REMOVED, text, PLACE)]


def _notes(
    reports: list[StreamReport], key: AuditPublicKey | None, *, given: bool, copies: bool
) -> list[str]:
    notes = []
    unsigned = sum(report.newest.sequence - report.signed_to for report in reports)
    if unsigned > 0:
        notes.append(
            f"{unsigned} records are newer than the newest signature: the chain alone holds them, "
            "and anybody who can write these files could have made another"
        )
    if key is not None and not given:
        notes.append(
            "the public key was taken from beside the trail; to rely on it, give a copy that was "
            "kept elsewhere (--public-key)"
        )
    if not copies:
        notes.append(
            "without checkpoints kept elsewhere (--checkpoints), an older state of the whole "
            "folder looks like the newest"
        )
    return notes


def _public_key(audit: Path, given: Path | None) -> AuditPublicKey | None:
    file = given or audit / PUBLIC_KEY_NAME
    if given is None and not file.exists():
        return None
    try:
        return AuditPublicKey(file.read_bytes())
    except BadDigest as bad:
        raise Unusable(f"{file} is {bad}") from None


def audit_status(data: Path) -> AuditStatus:
    """Return how far the trail is written and signed; records are not verified.

    Raises:
        Unusable: it cannot be read.
    """
    audit = audit_folder(data)
    try:
        key = _public_key(audit, None)
        demands = demands_of(audit, None, None)
        newest = demands.digests[-1].digest if demands.digests else None
        signed = (
            {} if newest is None else {end.stream: end.newest_sequence for end in newest.streams}
        )
        return AuditStatus(
            streams=tuple(
                StreamStatus(folder.name, newest_sequence_of(folder), signed.get(folder.name, 0))
                for folder in stream_folders(audit)
            ),
            digests=len(demands.digests),
            newest_digest_time=None if newest is None else newest.digest_end_time,
            key_fingerprint=None if key is None else key.fingerprint,
            digests_intact=not demands.findings,
        )
    except OSError as problem:
        raise Unusable(f"{problem.filename} cannot be read: {problem.strerror}") from None


def public_key_pem(data: Path) -> bytes:
    """Return the public half of the audit key, PEM.

    Raises:
        Unusable: no deployment, or none was made yet.
    """
    with opened(data, read_only=True) as deployment:
        key = stored_audit_key(deployment.store)
    if key is None:
        raise Unusable(f"{data} has no audit key yet; the first `kagimori serve` makes it")
    return key.pem


def reindex(data: Path) -> int | None:
    """Make the index anew; return how many records it took in.

    None: a server runs there; the old index is gone, and the server makes the new one.

    Raises:
        Unusable: the trail is not intact, or cannot be read.
    """
    audit = audit_folder(data)
    try:
        remove_index(audit)
        if is_served(data):
            return None
        index = AuditIndex(audit)
        try:
            return sum(index.follow(folder) for folder in stream_folders(audit))
        finally:
            index.close()
    except TrailBroken as broken:
        raise Unusable(f"the trail is not intact; see `kagimori audit verify`: {broken}") from None
    except (OSError, IndexUnusable) as problem:
        raise Unusable(f"{audit} cannot be indexed: {problem}") from None


def is_served(data: Path) -> bool:
    """Return whether a server writes to this trail now."""
    return is_locked(Layout(data))
