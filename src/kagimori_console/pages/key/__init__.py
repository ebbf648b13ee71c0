"""The pages of one KMS key: a tab each, and what stands before dangerous actions."""

from typing import Final

from kagimori_console.pages.key import (
    aliases,
    cost,
    danger,
    general,
    grants,
    material,
    policy,
    regions,
    rotation,
    tags,
    use,
)
from kagimori_console.web.routing import PageRoute

ROUTES: Final[tuple[PageRoute, ...]] = (
    *policy.ROUTES,
    *aliases.ROUTES,
    *tags.ROUTES,
    *grants.ROUTES,
    *rotation.ROUTES,
    *material.ROUTES,
    *regions.ROUTES,
    *use.ROUTES,
    *cost.ROUTES,
    *danger.ROUTES,
    *general.ROUTES,
)
