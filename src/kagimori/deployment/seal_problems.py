"""The reasons for which the HSM refuses something about a seal, as one line for people each."""

from typing import Final

from kagimori_boundary.replies import Failed, Failure, Reply
from kagimori_boundary.seal_replies import SealProblem, SealRefusal


def why_refused(reply: Reply) -> str:
    """Return why the HSM did not do it."""
    if isinstance(reply, Failed):
        return _STATES.get(reply, "the HSM refused")
    if not isinstance(reply, SealRefusal):
        return "the HSM answered something else"
    why = _WHY[reply.problem]
    if reply.wait_seconds:
        why += f"; the next try is possible in {reply.wait_seconds:.0f} seconds"
    return why


_STATES: Final = {
    Failed(
        Failure.NOT_OPERATIONAL
    ): "the HSM is sealed or in its error state: see `kagimori seal list`",
    Failed(Failure.BUSY): "the HSM is busy: try again",
    Failed(
        Failure.SEAL_REFUSED
    ): "the root is right, and does not open the domains: they were altered",
}
_WHY: Final = {
    SealProblem.WRONG: "it does not open this seal; nothing was changed",
    SealProblem.NO_SHARE: "these are not the words of a share: one is missing or misspelt",
    SealProblem.OTHER_SHARES: "this share is of another seal",
    SealProblem.SAME_SHARE: "this share was given already",
    SealProblem.TOO_SHORT: "a passphrase has 12 characters or more",
    SealProblem.NO_SECRET: "this is no secret for a seal of this kind",
    SealProblem.BAD_THRESHOLD: "2 to 16 shares, and a threshold of 2 to all of them",
    SealProblem.ALTERED: "the seal was altered",
    SealProblem.DELAYED: "a wrong secret was given before; nothing is tried now",
    SealProblem.BUSY: "another secret is being tried, or another change is being made: try again",
    SealProblem.NO_SUCH_SEAL: "there is no such seal: see `kagimori seal list`",
    SealProblem.LAST_SEAL: "this is the last seal: without it nothing could be opened again",
    SealProblem.TOO_MANY_SEALS: "a deployment has 32 seals at most",
    SealProblem.UNREACHABLE: "its root cannot be reached: see the server's log",
    SealProblem.NOT_APPROVED: "several operators must approve this",
    SealProblem.NOT_SEALED: "the domains are open",
    SealProblem.UNKNOWN_KIND: "there is no such kind of seal",
    SealProblem.LONG_LABEL: "a label has 100 characters at most",
}
