"""Makes a restored store and its trail fit each other, and the place where they are now.

Nobody but the restored folder is a member of the deployment afterwards: what other nodes, or the
folder before, had begun is this one's to end.
"""

import time

from kagimori.backups.opening import Unpacked
from kagimori.deployment.node import node_id
from kagimori.deployment.opened import Opened
from kagimori.deployment.stored_keys import all_keys
from kagimori.entities.node_tables import LEASES, NODES
from kagimori.machinery.chance import new_uuid
from kagimori.ports import Put
from kagimori.rules.chain.stream_names import admin_stream
from kagimori.rules.entity import changed
from kagimori.rules.nodes.node import NOBODY
from kagimori.rules.records.service_event import backup_event
from kagimori.trail.meter_copies import settle_meter
from kagimori.trail.outbox import not_named
from kagimori.trail.reader import stream_folders
from kagimori.trail.streams import registered_as_found


def settle(deployment: Opened, unpacked: Unpacked) -> None:
    """Have the restore recorded, former nodes removed, and the meter charge for the keys there are.

    Raises:
        StoreUnusable, OSError: the store or the trail cannot be read or written.
    """
    store, layout = deployment.store, deployment.layout
    now = round(time.time(), 3)
    record = backup_event(
        event_id=new_uuid(),
        now=now,
        name="RestoreBackup",
        account_id=deployment.facts.operator_account_id,
        region=deployment.facts.home_region,
        details={
            "backupId": unpacked.header.backup_id,
            "backupTime": unpacked.header.made_at,
        },
    )
    _adopt_outbox(deployment)
    store.commit([*registered_as_found(deployment), *_without_nodes(deployment, now)], record)
    if layout.audit.is_dir():
        settle_meter(layout.audit, all_keys(store), since=unpacked.header.made_at, at=now)


def _adopt_outbox(deployment: Opened) -> None:
    """Take over the records that others had on their way: those that no journal has yet."""
    layout = deployment.layout
    on_the_way = [event_id for event_id, _ in deployment.store.outbox()]
    folders = stream_folders(layout.audit) if layout.audit.is_dir() else []
    missing = not_named(on_the_way, folders)
    journalled = [event_id for event_id in on_the_way if event_id not in missing]
    deployment.store.adopt_outbox(admin_stream(node_id(layout)), journalled)


def _without_nodes(deployment: Opened, now: float) -> list[Put]:
    """Return the changes by which former nodes are removed, and nobody holds a lease."""
    store = deployment.store
    nodes = [node for node in store.page(NODES, (), None, None) if node.removed_at is None]
    leases = [lease for lease in store.page(LEASES, (), None, None) if lease.holder != NOBODY]
    return [
        *(Put(NODES, changed(node, removed_at=now), node) for node in nodes),
        *(Put(LEASES, changed(lease, holder=NOBODY), lease) for lease in leases),
    ]
