"""Credentials for other AWS services: none here, yet tools ask before they delete a user."""

from typing import Any, ClassVar

from kagimori.gate.asked import Asked
from kagimori.gate.identities import USER
from kagimori.operations.iam.iam_operation import Found, OnNamed
from kagimori.operations.iam.users import is_root
from kagimori.operations.operation import Outcome
from kagimori_boundary.commands import Command


class _NoneOfThem(OnNamed):
    """An empty list, for a user that exists."""

    read_only = True
    kind = USER
    is_self_default = True
    member: ClassVar[str]

    def look_up(self, asked: Asked) -> Found:
        if asked.call.input.UserName is None and is_root(asked):
            return Found((self.need(asked.caller.principal.arn),), more=())
        return super().look_up(asked)

    def ask(self, asked: Asked, facts: Found) -> Command | None:
        return None if facts.more is not None else super().ask(asked, facts)

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        return Outcome({self.member: [], "IsTruncated": False})


class ListSSHPublicKeys(_NoneOfThem):
    member = "SSHPublicKeys"


class ListSigningCertificates(_NoneOfThem):
    member = "Certificates"


class ListServiceSpecificCredentials(_NoneOfThem):
    member = "ServiceSpecificCredentials"
