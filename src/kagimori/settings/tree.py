"""The tree of all settings: its sections by name, its encoding, and its definitions in turn."""

from collections.abc import Iterator
from typing import Any, NamedTuple, get_type_hints

import msgspec

from kagimori.settings.about import About, Section
from kagimori.settings.approvals import Approvals
from kagimori.settings.audit import AuditOptions
from kagimori.settings.dev import Dev
from kagimori.settings.front import FrontLimits
from kagimori.settings.hsm import DomainKeys, Hsm
from kagimori.settings.identities import Attestation, WebIdentity
from kagimori.settings.serving import Admin, Serve, Tls


class Settings(Section, frozen=True):
    """The whole tree."""

    serve: Serve = Serve()
    admin: Admin = Admin()
    tls: Tls = Tls()
    front: FrontLimits = FrontLimits()
    hsm: Hsm = Hsm()
    domains: DomainKeys = DomainKeys()
    approvals: Approvals = Approvals()
    audit: AuditOptions = AuditOptions()
    web_identity: WebIdentity = WebIdentity()
    attestation: Attestation = Attestation()
    dev: Dev = Dev()


def encode_settings(settings: Settings) -> str:
    """Return the tree as JSON, for another process."""
    return msgspec.json.encode(settings).decode()


class Setting(NamedTuple):
    """One definition, as the tree has it."""

    section: str
    member: str
    kind: Any
    about: About
    default: Any

    @property
    def name(self) -> str:
        return f"{self.section}.{self.member}"

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables it is read from, the first before the others."""
        own = f"KAGIMORI_{self.section}_{self.member}".upper()
        return (own,) if self.about.variable is None else (own, self.about.variable)


def all_settings() -> Iterator[Setting]:
    """Yield every setting, in the tree's order."""
    tree = Settings()
    for section in Settings.__struct_fields__:
        values = getattr(tree, section)
        hints = get_type_hints(type(values), include_extras=True)
        for member in type(values).__struct_fields__:
            kind, (about,) = hints[member].__origin__, hints[member].__metadata__
            yield Setting(section, member, kind, about, getattr(values, member))
