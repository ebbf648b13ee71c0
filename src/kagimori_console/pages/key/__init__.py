"""The pages of one KMS key: a tab each, and what stands before dangerous actions."""

from typing import Final

from kagimori_console.pages.key import (
    aliases,
    danger,
    general,
    policy,
    tags,
)
from kagimori_console.web.routing import PageRoute

ROUTES: Final[tuple[PageRoute, ...]] = (
    *policy.ROUTES,
    *aliases.ROUTES,
    *tags.ROUTES,
    *danger.ROUTES,
    *general.ROUTES,
)
