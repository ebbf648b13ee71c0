"""One condition, operator and key, compiled to a test of the request's values.

Fail closed: an unknown operator, an operand or value of the wrong type, a provider that fails, a
list where one value was expected: the condition of an Allow does not hold, that of a Deny does.

Source: IAM User Guide, reference_policies_condition-logic-multiple-context-keys-or-values, "IAM
JSON policy elements: Condition operators" and "IAM policy elements: Variables and tags"; KMS
Developer Guide, "Condition keys for AWS KMS".
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from kagimori.rules.folding import fold

from .match import ARN_PARTS, Test, is_arn_pattern
from .operators import (
    OPERATORS,
    IllTyped,
    Operator,
    boolean,
    text_cost,
    text_matcher,
    typed_cost,
    typed_matcher,
)
from .steps import NOTHING, Cost
from .template import (
    BadVariable,
    Filled,
    Pieces,
    filled,
    has_variables,
    parse_template,
    split_parts,
)
from .values import Values, is_multi_valued

Holds = Callable[[Values], bool]
Make = Callable[[Values], Test]

_FOR_ALL: Final = "ForAllValues:"
_FOR_ANY: Final = "ForAnyValue:"
_IF_EXISTS: Final = "IfExists"
_KMS_RESOURCE_ALIASES: Final = "kms:resourcealiases"


class Condition(Struct, frozen=True):
    """One entry of a Condition block, as written: operator, key, operands."""

    operator: str
    key: str
    operands: tuple[str, ...]


class Reading(Struct, frozen=True):
    """An operator's name taken apart."""

    operator: Operator
    quantifier: str
    if_exists: bool


def read_operator(name: str) -> Reading | None:
    """Return the operator that a name means, or None for no operator."""
    quantifier = next((q for q in (_FOR_ALL, _FOR_ANY) if name.startswith(q)), "")
    bare = name[len(quantifier) :]
    if_exists = bare.endswith(_IF_EXISTS)
    found = OPERATORS.get(bare.removesuffix(_IF_EXISTS) if if_exists else bare)
    if found is None or (found.family == "Null" and (if_exists or quantifier)):
        return None
    return Reading(found, quantifier, if_exists)


def fault_of(condition: Condition, *, variables: bool, in_key_policy: bool = True) -> str | None:
    """Return why a condition must be refused when it is written, or None."""
    reading = read_operator(condition.operator)
    if reading is None:
        return f"Invalid Condition type : {condition.operator}."
    if in_key_policy and ":" not in condition.key:
        return "Conditions must be prefaced by a vendor, e.g., aws, kms, sts."
    if not condition.operands and not in_key_policy:
        return None  # IAM takes it; it never holds
    if reading.operator.family == "Date" and not in_key_policy:
        return None  # looked at before, as IAM reads dates
    if not condition.operands:
        return f"Missing value for condition {condition.operator} on {condition.key}."
    try:
        _compile_operands(condition, reading.operator, variables=variables)
    except (IllTyped, BadVariable):
        return f"Invalid value for condition {condition.operator} on {condition.key}."
    return None


def compile_condition(
    condition: Condition, *, denies: bool, variables: bool, in_key_policy: bool = False
) -> Holds:
    """Return the test that says whether the condition holds; it never raises."""
    reading = read_operator(condition.operator)
    key = fold(condition.key)
    if reading is None or not condition.operands:
        return lambda _values: denies
    if in_key_policy and key == _KMS_RESOURCE_ALIASES and not denies:
        # The key is for IAM policies only: in a key policy it gives nothing.
        return lambda _values: False
    try:
        make, cost = _compile_operands(condition, reading.operator, variables=variables)
    except (IllTyped, BadVariable):
        return lambda _values: denies
    if reading.operator.family == "Null":
        return _null_test(key, condition.operands, denies=denies)
    return _test(key, reading, make, cost, denies=denies)


def _null_test(key: str, operands: tuple[str, ...], *, denies: bool) -> Holds:
    wanted = frozenset(boolean(text) == "true" for text in operands)

    def holds(values: Values) -> bool:
        try:
            return (values.lookup(key) is None) in wanted
        except Exception:  # noqa: BLE001 - INVARIANT(deny-by-default): fail closed, whatever failed
            return denies

    return holds


def _test(key: str, reading: Reading, make: Make, cost: Cost, *, denies: bool) -> Holds:
    negated = reading.operator.negated
    quantifier = reading.quantifier
    # An absent key: IfExists and ForAllValues hold, ForAnyValue does not; else as it is negated.
    when_absent = reading.if_exists or quantifier == _FOR_ALL or (not quantifier and negated)
    undefined = not quantifier and is_multi_valued(key) and not denies
    # A single-valued key with several values (context keys that differ by case only): an Allow
    # needs all of them, a Deny any; so does a list in a Deny without set operator.
    needs_any = quantifier == _FOR_ANY or (not quantifier and denies)
    is_free = cost == NOTHING

    def holds(values: Values) -> bool:
        try:
            found = values.lookup(key)
            if found is None:
                return when_absent
            if undefined:
                return False
            if not is_free:
                values.steps.take(cost.of(found))
            matches = make(values)
            if len(found) == 1:
                return matches(found[0]) is not negated
            values.steps.take(len(found))
            # Every value is looked at, so that one of the wrong type is never passed over.
            results = [matches(value) is not negated for value in found]
        except Exception:  # noqa: BLE001 - INVARIANT(deny-by-default): fail closed, whatever failed
            return denies
        return any(results) if needs_any else all(results)

    return holds


def _compile_operands(
    condition: Condition, found: Operator, *, variables: bool
) -> tuple[Make, Cost]:
    """Return the maker of the test for a request, and the cost of the test for one value.

    Without variables it is always the same test; with them it takes its steps itself.
    """
    if found.family == "Null":
        for text in condition.operands:
            boolean(text)
        return lambda _values: bool, NOTHING
    if found.compare is not None:
        typed = typed_matcher(found, condition.operands)
        return lambda _values: typed, typed_cost(found, condition.operands)
    templates = [
        parse_template(text, variables=variables, wildcards=found.wildcards)
        for text in condition.operands
    ]
    if found.family == "Arn" and not all(is_arn_pattern(pieces) for pieces in templates):
        raise IllTyped(condition.operands)
    parts = ARN_PARTS if found.family == "Arn" else 1
    operands = [split_parts(pieces, parts) for pieces in templates]
    if not any(has_variables(pieces) for pieces in templates):
        ready = [_filled_parts(o, None) or [] for o in operands]
        fixed = text_matcher(found, ready)
        return lambda _values: fixed, text_cost(found, ready)
    pieces = sum(len(part) for operand in operands for part in operand)
    return lambda values: _matcher_with(found, operands, values), Cost(pieces)


def _matcher_with(found: Operator, operands: list[list[Pieces]], values: Values) -> Test:
    filled_in = [_filled_parts(operand, values) for operand in operands]
    # A variable without a value equals nothing, so its operand drops out.
    ready = [operand for operand in filled_in if operand is not None]
    test, cost, take = text_matcher(found, ready), text_cost(found, ready), values.steps.take

    def fits(text: str) -> bool:
        take(cost.of((text,)))
        return test(text)

    return fits


def _filled_parts(parts: list[Pieces], values: Values | None) -> list[Filled] | None:
    if values is None:
        return parts  # type: ignore[return-value]  # the caller saw that there is no variable
    result = [filled(part, values) for part in parts]
    return None if any(part is None for part in result) else result  # type: ignore[return-value]
