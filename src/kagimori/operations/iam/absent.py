"""Credentials for other AWS services: none here, yet tools ask before they delete a user."""

from typing import ClassVar

from kagimori.gate.asked import Asked, Request
from kagimori.gate.identities import USER
from kagimori.operations.iam.iam_operation import AboutNamed, On
from kagimori.operations.iam.users import is_root
from kagimori.operations.operation import Outcome, Withheld
from kagimori.rules.identity.user import User


class _NoneOfThem(AboutNamed[User, On[User | None], None]):
    """An empty list, for a user that exists, and for the root user."""

    read_only = True
    kind = USER
    is_self_default = True
    member: ClassVar[str]

    def look_up(self, asked: Asked) -> On[User | None] | Withheld:
        if asked.call.input.UserName is None and is_root(asked):
            return On((self.need(asked.caller.principal.arn),), entity=None)
        return self.found(asked, On)

    def finish(self, asked: Request, facts: On[User | None], reply: None) -> Outcome:
        return Outcome({self.member: [], "IsTruncated": False})


class ListSSHPublicKeys(_NoneOfThem):
    member = "SSHPublicKeys"


class ListSigningCertificates(_NoneOfThem):
    member = "Certificates"


class ListServiceSpecificCredentials(_NoneOfThem):
    member = "ServiceSpecificCredentials"
