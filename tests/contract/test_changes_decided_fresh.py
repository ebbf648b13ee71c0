"""A change that finds nothing to do is decided on what is so, not on memory that is behind.

Two nodes share a store, and neither has heard yet of what the other changed.
"""

import asyncio
import json
import uuid

import lives
from kagimori.dev.unverified import UnverifiedDevCallers
from kagimori.entities.tables import KMS_KEYS, TABLES
from kagimori.front.wire import Wire
from kagimori.gate.asked import Settings
from kagimori.machinery.store.change_signal import ChangeSignal
from kagimori.machinery.store.worker_store import WorkerStore
from kagimori.machinery.telemetry import Telemetry
from kagimori.operations.registry import OPERATIONS
from kagimori.path import Path
from kagimori.rules.authorization.denial import Denials
from kagimori.rules.keys.states import KeyState
from kagimori.rules.keys.usage_record import Usages
from kagimori.trail.archive import AuditArchive
from kagimori.trail.journal import Journal


class Node:
    """A node's path, store and journal."""

    def __init__(self, name, place, folder):
        (folder / name).mkdir()
        self.store = WorkerStore(
            place,
            ChangeSignal(folder / name / "changes"),
            stream=name,
            tables=tuple(TABLES.values()),
        )
        self.journal = Journal(folder / name / "audit" / name)
        hsm, regions = lives.Hsm(), frozenset((lives.REGION,))
        self.path = Path(
            wire=Wire(("kms",)),
            who=UnverifiedDevCallers(self.store.view, hsm, regions, is_first=lambda *_: True),
            operations=OPERATIONS,
            view=self.store.view,
            store=self.store,
            key_holder=hsm,
            archive=AuditArchive(self.journal, self.store),
            now=lambda: 1_767_225_600.0,
            draw=lambda: str(uuid.uuid4()),
            telemetry=Telemetry(lives.Quiet()),
            settings=Settings(regions=regions, unknown_principals=True),
            usages=Usages(),
            denials=Denials(name),
            on_due=lambda now: None,
        )

    async def call(self, operation, **members):
        done = asyncio.get_running_loop().create_future()
        self.path.handle(lives.request_of((operation, members)), done.set_result)
        answer = await asyncio.wait_for(done, 30)
        return answer.status, json.loads(answer.body or b"{}")

    async def close(self):
        await self.journal.close()
        self.store.close()


def test_what_is_already_so_is_looked_up_anew(databases, tmp_path):
    async def test(place):
        one, two = Node("n1", place, tmp_path), Node("n2", place, tmp_path)
        try:
            _, made = await one.call("CreateKey")
            key = made["KeyMetadata"]["KeyId"]
            assert (await two.call("DescribeKey", KeyId=key))[0] == 200
            assert (await one.call("DisableKey", KeyId=key))[0] == 200
            assert (await two.call("EnableKey", KeyId=key))[0] == 200
            found = two.store._reader.one(KMS_KEYS, (lives.ACCOUNT, lives.REGION, key))
            assert found.state == KeyState.ENABLED, "the success is denied by a later read"
        finally:
            await one.close()
            await two.close()

    with databases.lent() as place:
        asyncio.run(test(place))
