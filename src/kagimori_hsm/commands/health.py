"""The module's own health: its self-tests at the start and on demand, and how it is.

A test on demand computes beside the fast lane, with published values and nothing of ours, so that
keys are used meanwhile. The first test that fails is the end of that.
"""

import time
from collections.abc import Callable
from typing import Any

from kagimori_boundary import commands
from kagimori_boundary.replies import ModuleReport, PassedTest, Reply
from kagimori_hsm.self_tests.battery import Battery, SelfTestFailed
from kagimori_hsm.world import World


class HealthCommands:
    """One function for each command about the module's health.

    `report` adds to a report what the module alone knows; `fail` enters the error state.
    """

    def __init__(
        self,
        battery: Battery,
        world: World,
        *,
        report: Callable[[ModuleReport], ModuleReport],
        fail: Callable[[str], Reply],
    ) -> None:
        self._battery = battery
        self._world = world
        self._report = report
        self._fail = fail
        self._tested = ModuleReport()

    def functions(self) -> dict[type, Callable[[Any], Reply]]:
        return {
            commands.DescribeModule: self._describe,
            commands.RunSelfTests: self._run,
        }

    def run(self) -> str | None:
        """Run the self-tests; return the reason if one fails."""
        began, at = time.perf_counter(), self._world.now()
        try:
            passed = self._battery()
        except SelfTestFailed as failure:
            return str(failure)
        except Exception as problem:  # noqa: BLE001 - whatever it was, the module must not serve
            return f"the self-tests do not come to an end: {type(problem).__name__}"
        self._tested = ModuleReport(
            tests=[PassedTest(*one) for one in passed],
            tested_at=at,
            test_seconds=time.perf_counter() - began,
        )
        return None

    def _describe(self, _: commands.DescribeModule) -> Reply:
        return self._report(self._tested)

    def _run(self, _: commands.RunSelfTests) -> Reply:
        why = self.run()
        return self._report(self._tested) if why is None else self._fail(why)
