"""Instance profiles, as stored: each names the role of a virtual machine."""

from functools import cached_property

from msgspec import Struct

from kagimori.rules.folding import fold
from kagimori.rules.identity.bearer import identity_arn
from kagimori.rules.partitions import AWS


class InstanceProfile(Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """An instance profile; `role` is the folded name of its role, empty without one."""

    account_id: str
    name: str
    path: str = "/"
    unique_id: str
    created_at: float
    role: str = ""
    tags: dict[str, str] = {}
    partition: str = AWS
    version: int = 1

    @property
    def folded(self) -> str:
        return fold(self.name)

    @cached_property
    def arn(self) -> str:
        return identity_arn(
            self.partition, self.account_id, "instance-profile", self.path, self.name
        )
