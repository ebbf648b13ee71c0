"""The answers to callers when a part that a request needs has failed."""

from kagimori.hsm.client import HsmGone
from kagimori.machinery.telemetry import Telemetry
from kagimori.ports import StoreFailed
from kagimori.rules.refusal import InternalFailure, KMSInternalException, Refusal
from kagimori.trail.journal import JournalFailed


def as_refusal(problem: BaseException, telemetry: Telemetry) -> Refusal:
    """Return the refusal that a request ends with; what is no refusal yet is counted and logged."""
    if isinstance(problem, Refusal):
        return problem
    if isinstance(problem, JournalFailed):
        return KMSInternalException()  # recorded as such, if that can still be done
    if isinstance(problem, HsmGone | StoreFailed):
        telemetry.trouble(type(problem).__name__, str(problem))
        return KMSInternalException()
    telemetry.fault(problem)
    return InternalFailure()
