"""Every setting of a server, once: its type, bounds, default and meaning. Values only.

The names are those of `kagimori.toml`: section and member. From these definitions come the
options of the command, the environment variables, and docs/look-up/settings.md; the tree itself
goes as JSON to every process. A secret is never in it, only the file where it is.
"""

from kagimori.settings.about import About
from kagimori.settings.approvals import Approvals
from kagimori.settings.audit import AuditOptions
from kagimori.settings.dev import Dev
from kagimori.settings.front import FrontLimits
from kagimori.settings.hsm import DomainKeys, Hsm
from kagimori.settings.identities import Attestation, WebIdentity
from kagimori.settings.key_stores import KeyStores
from kagimori.settings.nodes import Nodes
from kagimori.settings.quotas import Quotas
from kagimori.settings.serving import DEFAULT_LISTEN, DEFAULT_PORT, Admin, Serve, Tls
from kagimori.settings.tokens import Token
from kagimori.settings.tree import (
    NAMED,
    Setting,
    Settings,
    all_settings,
    encode_settings,
    settings_named,
)

__all__ = [
    "DEFAULT_LISTEN",
    "DEFAULT_PORT",
    "NAMED",
    "About",
    "Admin",
    "Approvals",
    "Attestation",
    "AuditOptions",
    "Dev",
    "DomainKeys",
    "FrontLimits",
    "Hsm",
    "KeyStores",
    "Nodes",
    "Quotas",
    "Serve",
    "Setting",
    "Settings",
    "Tls",
    "Token",
    "WebIdentity",
    "all_settings",
    "encode_settings",
    "settings_named",
]
