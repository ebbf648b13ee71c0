"""The secret bytes of a deployment, and the search for them in memory, files and traffic."""

import base64
from pathlib import Path

from kagimori.deployment.folder import Layout
from kagimori.deployment.opened import new_store
from kagimori.deployment.stored_keys import all_keys
from kagimori.entities.tables import DOMAINS
from kagimori.rules.keys.domains import ALL
from kagimori_hsm.engines.software import BackingKeys
from kagimori_hsm.ring import Rings
from kagimori_hsm.roots.sealed import head_of, open_sealed
from kagimori_hsm.roots.seals import root_key_in

CHUNK_BYTES = 1 << 24
NEEDLE_BYTES = 16  # a part of a key is enough to find it by, and half of it is found as well


def secrets_of(data):
    """Return the secret bytes by name, as whoever has the seal key can get them from the folder."""
    layout = Layout(data)
    file_key = bytes.fromhex(layout.seal_key.read_text().strip())
    store = new_store(layout, read_only=True)
    try:
        sealed = store.one(DOMAINS, (ALL,)).sealed
        kms_keys = list(all_keys(store))
    finally:
        store.close()
    head = head_of(sealed)
    root_key = root_key_in(head.seals[0], head.root_key_id, file_key).secret
    contents = open_sealed(sealed, root_key)
    rings = Rings()
    rings.add(contents.rings)
    keys = BackingKeys(rings)
    found = {"seal key": file_key, "root key": root_key}
    for name, ring in contents.rings.items():
        for key_id, key in ring.plain()[1].items():
            found[f"domain key {name} {key_id.hex()}"] = key
    for kms_key in kms_keys:
        for material_id, token in kms_key.bound_tokens.items():
            found[f"backing key {kms_key.key_spec} {material_id[:8]}"] = keys.open(token).material
    return found


def needles_of(secret):
    """Return the forms in which a secret would stand somewhere: raw, hex, base64 at any offset."""
    # The secret number of an elliptic curve's key is followed by the public key; of others the end
    # is secret: bytes, a seed, or the last number of an RSA key.
    is_curve = 90 < len(secret) < 300
    part = secret[40 : 40 + NEEDLE_BYTES] if is_curve else secret[-NEEDLE_BYTES:]
    forms = {part, part.hex().encode(), part.hex().upper().encode()}
    for offset in range(3):
        text = base64.b64encode(bytes(offset) + part)
        inside = text[(offset * 4 + 2) // 3 : -4]
        forms |= {inside, inside.replace(b"+", b"-").replace(b"/", b"_")}
    return forms


def found_in(content, secrets):
    """Return the names of the secrets that bytes hold in any form."""
    return {
        name
        for name, secret in secrets.items()
        if any(form in content for form in needles_of(secret))
    }


def found_in_memory(pid, secrets):
    """Return the names of the secrets in the memory of a process.

    Raises:
        PermissionError: it may not be read.
    """
    needles = {name: needles_of(secret) for name, secret in secrets.items()}
    found, read = set(), 0
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            span, access, *_ = line.split()
            if not access.startswith("rw"):
                continue  # what nobody writes to holds no secret
            start, end = (int(one, 16) for one in span.split("-"))
            rest = b""
            while start < end:
                try:
                    memory.seek(start)
                    content = memory.read(min(CHUNK_BYTES, end - start))
                except OSError:
                    break
                if not content:
                    break
                start, read = start + len(content), read + len(content)
                whole = rest + content
                rest = content[-64:]
                found |= {
                    name
                    for name, forms in needles.items()
                    if name not in found and any(form in whole for form in forms)
                }
    assert read, f"nothing of process {pid} was read"
    return found
