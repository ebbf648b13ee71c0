"""Files that nobody but the server's user may read: seen to before anything is served from them.

What `init` wrote must be its owner's alone. What the operator names (a TLS key, a secret) may be
a group's as well, as container platforms and certificate tools hand such files out.
"""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kagimori.deployment.folder import Layout, Unusable
from kagimori.deployment.store_place import store_secrets
from kagimori.settings import Settings

_OTHERS: Final = stat.S_IRWXO
_GROUP_AND_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_WRITERS: Final = stat.S_IWGRP | stat.S_IWOTH
_READERS: Final = stat.S_IROTH | stat.S_IXOTH


def check_private_files(layout: Layout, settings: Settings) -> list[str]:
    """Return the warnings, one line each.

    Raises:
        Unusable: a file that others may read or change; a warning if `serve.check_modes` is off.
    """
    found = list(_exposed(layout, settings))
    if found and settings.serve.check_modes:
        raise Unusable(found[0])
    mode = _mode(layout.data)
    if mode & _READERS and not mode & _WRITERS:
        found.append(f"{layout.data} can be entered by others: chmod 700 {layout.data}")
    return found


def _exposed(layout: Layout, settings: Settings) -> Iterator[str]:
    ours = [*layout.seal_keys, layout.credentials, layout.store_url, layout.tls / "server.key"]
    ours.append(layout.shipping_key)
    if _mode(layout.data) & _READERS:  # tools that restore it do not keep its mode
        ours += [layout.database, layout.store_url]
    pins = [token.pin_file for token in settings.tokens.values()]
    theirs = [settings.tls.key, settings.audit.webhook_secret, *pins, *store_secrets(layout)]
    for path in ours:
        if _mode(path) & _GROUP_AND_OTHERS:
            yield f"{path} can be read by others than its owner: chmod 600 {path}"
    for path in (Path(name) for name in theirs if name is not None):
        if _mode(path) & _OTHERS:
            yield f"{path} can be read by everybody: chmod o= {path}"
    if _mode(layout.data) & _WRITERS:
        yield f"{layout.data} can be changed by others than its owner: chmod 700 {layout.data}"


def _mode(path: Path) -> int:
    """Return a file's permission bits; none if there is no such file, which others complain of."""
    try:
        return stat.S_IMODE(path.stat().st_mode) if not path.is_char_device() else 0
    except OSError:
        return 0
