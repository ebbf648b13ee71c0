"""Keys in lists, new keys, and imported material."""

from kagimori_console.pages.keys import lists

ROUTES = (*lists.ROUTES,)
