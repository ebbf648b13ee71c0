"""Permissions: users, groups, roles, policies, credentials, and why requests were denied."""

from typing import Final

from kagimori_console.pages.access import (
    account,
    credentials,
    deletion,
    devices,
    editor,
    groups,
    me,
    permissions,
    policies,
    providers,
    roles,
    tags,
    users,
    what_may,
    why,
)
from kagimori_console.web.routing import PageRoute

ROUTES: Final[tuple[PageRoute, ...]] = (
    *users.ROUTES,
    *groups.ROUTES,
    *roles.ROUTES,
    *policies.ROUTES,
    *providers.ROUTES,
    *account.ROUTES,
    *permissions.ROUTES,
    *credentials.ROUTES,
    *devices.ROUTES,
    *deletion.ROUTES,
    *tags.ROUTES,
    *editor.ROUTES,
    *me.ROUTES,
    *why.ROUTES,
    *what_may.ROUTES,
)
