"""The tree of all settings: its sections by name, its encoding, and its definitions in turn."""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, get_type_hints

import msgspec
from msgspec import field

from kagimori.settings.about import About, Section
from kagimori.settings.approvals import Approvals
from kagimori.settings.audit import AuditOptions
from kagimori.settings.dev import Dev
from kagimori.settings.front import FrontLimits
from kagimori.settings.hsm import DomainKeys, Hsm
from kagimori.settings.identities import Attestation, WebIdentity
from kagimori.settings.key_stores import KeyStores
from kagimori.settings.kms_roots import KmsRoot
from kagimori.settings.nodes import Nodes
from kagimori.settings.quotas import Quotas
from kagimori.settings.serving import Admin, Serve, Tls
from kagimori.settings.store import Store
from kagimori.settings.tokens import Token


class Settings(Section, frozen=True):
    """The whole tree."""

    serve: Serve = Serve()
    admin: Admin = Admin()
    tls: Tls = Tls()
    front: FrontLimits = FrontLimits()
    hsm: Hsm = Hsm()
    domains: DomainKeys = DomainKeys()
    approvals: Approvals = Approvals()
    quotas: Quotas = Quotas()
    store: Store = Store()
    audit: AuditOptions = AuditOptions()
    nodes: Nodes = Nodes()
    web_identity: WebIdentity = WebIdentity()
    attestation: Attestation = Attestation()
    key_stores: KeyStores = KeyStores()
    dev: Dev = Dev()
    tokens: dict[str, Token] = field(default_factory=dict)
    kms_roots: dict[str, KmsRoot] = field(default_factory=dict)


# Sections of which there may be several, each under a name: their kind.
NAMED: Final[dict[str, type[Section]]] = {"tokens": Token, "kms_roots": KmsRoot}
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")


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
    """Yield every setting, in the tree's order, but those of named sections."""
    tree = Settings()
    for section in Settings.__struct_fields__:
        if section not in NAMED:
            yield from _settings_of(section, getattr(tree, section))


def settings_named(section: str, name: str) -> Iterator[Setting]:
    """Yield the settings of a named section; none if it may not have this name."""
    if section in NAMED and _NAME.fullmatch(name):
        yield from _settings_of(f"{section}.{name}", NAMED[section]())


def _settings_of(section: str, values: Section) -> Iterator[Setting]:
    hints = get_type_hints(type(values), include_extras=True)
    for member in type(values).__struct_fields__:
        kind, (about,) = hints[member].__origin__, hints[member].__metadata__
        yield Setting(section, member, kind, about, getattr(values, member))
