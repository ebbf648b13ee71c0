"""New seals of every kind: the secret of the root, and the parameters that are kept in the open."""

import os
from typing import Final, NamedTuple

from kagimori_boundary.seal_replies import SealProblem
from kagimori_boundary.seals import FILE, KINDS, PASSPHRASE, QUORUM
from kagimori_hsm.roots import secrets
from kagimori_hsm.roots.contents import KEY_BYTES
from kagimori_hsm.roots.root_keys import RootKeys
from kagimori_hsm.roots.seals import NewSeal
from kagimori_hsm.roots.secrets import SecretRefused

LABEL_CHARACTERS_MAX: Final = 100

Parameters = dict[str, str | int]


class Made(NamedTuple):
    """A seal, and the shares of its root, which are shown once; its repr shows none."""

    seal: NewSeal
    shares: list[str]

    def __repr__(self) -> str:
        return "Made()"


class _Root(NamedTuple):
    secret: bytes
    parameters: Parameters
    shares: list[str]

    def __repr__(self) -> str:
        return "_Root()"


def make_seal(
    roots: RootKeys, kind: str, label: str, parameters: Parameters, secret: bytes
) -> Made:
    """Return a new seal; `secret` is the passphrase, or the content of the file.

    Raises:
        SecretRefused: not a secret for a seal of this kind, or a root that cannot be reached.
    """
    if len(label) > LABEL_CHARACTERS_MAX:
        raise SecretRefused(SealProblem.LONG_LABEL)
    if kind not in KINDS:
        raise SecretRefused(SealProblem.UNKNOWN_KIND)
    root = _root(roots, kind, parameters, secret)
    seal = roots.new(kind, label or kind, root.parameters, root.secret)
    if kind == FILE:
        roots.unattended.add_file_key(secret)
    return Made(seal, root.shares)


def _root(roots: RootKeys, kind: str, parameters: Parameters, secret: bytes) -> _Root:
    if kind == PASSPHRASE:
        secrets.check_new_passphrase(secret)
        parameters = secrets.new_passphrase_parameters()
        return _Root(secrets.secret_of_passphrase(secret, parameters), parameters, [])
    if kind == QUORUM:
        threshold, count = parameters.get("threshold"), parameters.get("shares")
        if not isinstance(threshold, int) or not isinstance(count, int):
            raise SecretRefused(SealProblem.BAD_THRESHOLD)
        return _Root(*secrets.split_secret(threshold, count))
    if kind == FILE:
        if len(secret) != KEY_BYTES:
            raise SecretRefused(SealProblem.NO_SECRET)
        return _Root(secret, parameters, [])
    drawn = os.urandom(KEY_BYTES)
    return _Root(drawn, roots.unattended.wrapped(kind, parameters, drawn), [])
