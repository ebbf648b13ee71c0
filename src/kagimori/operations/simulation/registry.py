"""The operations of IAM's policy simulator."""

from typing import Final

from kagimori.operations.operation import AnyOperation
from kagimori.operations.simulation import context_keys, simulate

SIMULATION_OPERATIONS: Final[tuple[AnyOperation, ...]] = (
    simulate.SimulateCustomPolicy(),
    simulate.SimulatePrincipalPolicy(),
    context_keys.GetContextKeysForCustomPolicy(),
    context_keys.GetContextKeysForPrincipalPolicy(),
)
