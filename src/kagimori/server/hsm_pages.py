"""The admin listener's pages about the HSM: how it is, and its self-tests run now.

They ask over the operator's connection, so that they answer in the error state as well, in which
no request of the API can be signed for.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from kagimori.hsm.process import HsmRefused
from kagimori.rules.request import RawAnswer
from kagimori_boundary.commands import Command, DescribeModule, RunSelfTests
from kagimori_boundary.replies import HsmState, ModuleReport, Reply

_JSON: Final = b"application/json"
UNREACHABLE: Final = "UNREACHABLE"


class HsmPages:
    """`ask` performs an operator's command, and blocks."""

    def __init__(self, ask: Callable[[Command], Reply]) -> None:
        self._ask = ask

    async def describe(self) -> RawAnswer:
        """Answer state, reason, and the self-tests that passed last."""
        return await asyncio.to_thread(self._described)

    async def test(self) -> RawAnswer:
        """Run the self-tests now, and answer as `describe`."""
        return await asyncio.to_thread(self._tested)

    def _tested(self) -> RawAnswer:
        try:
            self._ask(RunSelfTests())
        except HsmRefused as refused:
            return self._described(str(refused))
        return self._described()

    def _described(self, otherwise: str = "") -> RawAnswer:
        try:
            report = self._ask(DescribeModule())
        except HsmRefused as refused:
            return _page({"state": UNREACHABLE, "reason": str(refused)})
        if not isinstance(report, ModuleReport):
            return _page({"state": UNREACHABLE, "reason": otherwise})
        return _page(
            {
                "state": report.state.name,
                "reason": report.reason or otherwise,
                "tested_at": report.tested_at or None,
                "test_seconds": round(report.test_seconds, 4),
                "tests": [{"name": one.name, "source": one.source} for one in report.tests],
                "memory_locked": report.memory_locked,
                "sandbox": report.sandbox,
            }
        )


def _page(report: dict[str, object]) -> RawAnswer:
    is_well = report["state"] == HsmState.OPERATIONAL.name and not report["reason"]
    return RawAnswer(200 if is_well else 503, msgspec.json.encode(report), _JSON)
