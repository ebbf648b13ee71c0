"""Keys in lists, new keys, and imported material."""

from kagimori_console.pages import crypto
from kagimori_console.pages.keys import importing, lists, new_key

ROUTES = (*lists.ROUTES, *new_key.ROUTES, *importing.ROUTES, *crypto.ROUTES)
