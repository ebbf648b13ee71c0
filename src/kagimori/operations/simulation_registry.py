"""The operations of IAM's policy simulator."""

from typing import Final

from kagimori.operations import iam_context_keys, iam_simulate
from kagimori.operations.operation import Operation

SIMULATION_OPERATIONS: Final[tuple[Operation, ...]] = (
    iam_simulate.SimulateCustomPolicy(),
    iam_simulate.SimulatePrincipalPolicy(),
    iam_context_keys.GetContextKeysForCustomPolicy(),
    iam_context_keys.GetContextKeysForPrincipalPolicy(),
)
