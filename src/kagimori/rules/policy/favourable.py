"""Rewrites a policy as if every unknown condition value were in the caller's favour.

Beside the evaluation itself, in which what cannot be had never helps, this is the other bound:
what is denied even so is denied for sure.
"""

from collections.abc import Callable

from msgspec.structs import replace

from kagimori.rules.folding import fold

from .context_keys import condition_keys, resource_keys
from .evaluate import CompiledPolicy
from .grammar import Statement

IsUnknown = Callable[[str], bool]


def favourable(policy: CompiledPolicy, is_unknown: IsUnknown) -> CompiledPolicy:
    """Return the policy without Denies, and without conditions of Allows, on unknown keys.

    `is_unknown` is asked about folded keys.
    """
    document = policy.document
    written = (statement.written for statement in policy.statements)
    supposed = (_supposed(one, is_unknown, document.has_variables) for one in written)
    return CompiledPolicy(document, policy.name, tuple(one for one in supposed if one is not None))


def _supposed(
    statement: Statement,
    is_unknown: IsUnknown,
    variables: bool,  # noqa: FBT001 - handed through
) -> Statement | None:
    doubtful = {
        condition
        for condition in statement.conditions
        if any(is_unknown(fold(key)) for key in condition_keys(condition, variables=variables))
    }
    any_resource = any(map(is_unknown, resource_keys(statement, variables=variables)))
    if not doubtful and not any_resource:
        return statement
    if not statement.allows:
        return None
    conditions = tuple(one for one in statement.conditions if one not in doubtful)
    if any_resource:
        return replace(statement, conditions=conditions, resources=("*",), not_resource=False)
    return replace(statement, conditions=conditions)
