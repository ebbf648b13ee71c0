"""A policy compiled once, and what it says to one question.

Each statement becomes a few tests; which statements an action concerns is remembered for each
action, so that a question costs only the statements that can answer it. Denies come first.

Source: KMS Developer Guide, "Key policies in AWS KMS"; IAM User Guide, "Policy evaluation logic",
"IAM JSON policy elements: Condition operators" and reference_policies_evaluation-logic.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final

from msgspec import Struct

from kagimori.rules.folding import fold

from .condition import Holds, compile_condition
from .grammar import Document, Kind, Statement
from .match import Test, action_pieces, cost_of, glob, resource_pieces
from .principal import Principal, PrincipalKind, Principals, Way, is_spared, pinned, way_of
from .question import Question
from .steps import NOTHING as FREE
from .steps import Cost, total
from .template import (
    BadVariable,
    Filled,
    Pieces,
    filled,
    has_variables,
    parse_template,
)
from .values import Values

ResourceTest = Callable[[str, Values], bool]

# What it costs to hold a resource against so many names is not worth counting.
_COST_COUNTED_MIN: Final = 64
# Questions come from a fixed list of actions; the bound only guards against a caller's mistake.
_ACTIONS_REMEMBERED_MAX: Final = 512
_NO_WAY: Final = Way.NONE
_EVERYONE: Final = Way.EVERYONE
_NOBODY: Final = Principal(PrincipalKind.ANONYMOUS, "", "anonymous", "")


class Effect(Enum):
    """The result of a policy; NONE is the implicit deny."""

    NONE = "None"
    ALLOW = "Allow"
    DENY = "Deny"


class Finding(Struct, frozen=True):
    """The result of one policy, the statement that made it, and how that named the caller."""

    effect: Effect
    statement: "CompiledStatement | None" = None
    way: Way = Way.NONE


NOTHING: Final = Finding(Effect.NONE)


class CompiledStatement:
    """One statement as tests; `resource` None stands for every resource."""

    __slots__ = (
        "_has_action",
        "action_cost",
        "allows",
        "findings",
        "index",
        "policy_name",
        "principals",
        "resource",
        "resource_cost",
        "tests",
        "written",
    )

    def __init__(self, written: Statement, index: int, document: Document, name: str) -> None:
        self.written = written
        self.index = index
        self.policy_name = name
        self.allows = written.allows
        self.principals = written.principals
        self._has_action, self.action_cost = _action_test(written, document.kind)
        variables = document.has_variables
        self.resource, self.resource_cost = _resource_test(written, variables=variables)
        self.tests: tuple[Holds, ...] = tuple(
            compile_condition(
                condition,
                denies=not written.allows,
                variables=variables,
                in_key_policy=document.kind is Kind.KEY,
            )
            for condition in written.conditions
        )
        self.findings: dict[Way, Finding] = {}

    def concerns(self, action: str) -> bool:
        """Return whether the statement speaks about an action."""
        return self._has_action(fold(action))

    def fits_resource(self, question: Question) -> bool:
        """Return whether the statement speaks about the resource."""
        return self.resource is None or self.resource(question.resource, question.values)

    def way(self, caller: Principal | None, *, has_boundary: bool) -> Way:
        """Return how the statement names the caller; without Principal it is the attached one."""
        if self.principals is None:
            return _EVERYONE
        if not self.written.not_principal:
            return way_of(self.principals, caller or _NOBODY, denies=not self.allows)
        if self.allows or is_spared(self.principals, caller or _NOBODY, has_boundary=has_boundary):
            return _NO_WAY
        return _EVERYONE

    def finding(self, way: Way) -> Finding:
        """Return the finding that this statement decided; one object for each way."""
        effect = Effect.ALLOW if self.allows else Effect.DENY
        return self.findings.setdefault(way, Finding(effect, self, way))


class Applicable(Struct, frozen=True):
    """The statements that speak about one action, Denies first, and what their resources cost."""

    statements: tuple[CompiledStatement, ...]
    cost: Cost | None


class CompiledPolicy:
    """A document ready for questions; cached by the caller, shared, never changed."""

    __slots__ = ("_action_cost", "document", "name", "remembered", "statements")

    def __init__(self, document: Document, name: str, statements: tuple[Statement, ...]) -> None:
        self.document = document
        self.name = name
        self.statements = tuple(
            CompiledStatement(statement, index, document, name)
            for index, statement in enumerate(statements)
        )
        self._action_cost = total(one.action_cost for one in self.statements)
        self.remembered: dict[str, Applicable] = {}

    def applicable(self, question: Question) -> Applicable:
        """Return the statements that speak about the action of a question.

        Raises:
            OutOfSteps: it costs more than the request has left.
        """
        action = question.action
        try:
            return self.remembered[action]
        except KeyError:
            question.values.steps.take(self._action_cost.of((action,)))
            found = [statement for statement in self.statements if statement.concerns(action)]
            found.sort(key=lambda statement: statement.allows)
            cost = total(statement.resource_cost for statement in found)
            is_dear = cost.per_character or cost.each >= _COST_COUNTED_MIN
            made = Applicable(tuple(found), cost if is_dear else None)
            if len(self.remembered) < _ACTIONS_REMEMBERED_MAX:
                self.remembered[action] = made
            return made

    def take_steps(self, question: Question) -> None:
        """Take the steps for asking every statement about action and resource, one by one.

        Raises:
            OutOfSteps: it costs more than the request has left.
        """
        resources = total(statement.resource_cost for statement in self.statements)
        steps = self._action_cost.of((question.action,)) + resources.of((question.resource,))
        question.values.steps.take(len(self.statements) + steps)


def compile_policy(
    document: Document, name: str = "", pins: Mapping[str, str] | None = None
) -> CompiledPolicy:
    """Return the document compiled.

    `name` (a policy's ARN or name) is carried into findings. `pins` maps the ARNs of principals to
    the unique ids they had when the policy was written.
    """
    statements = tuple(
        _with_principals(s, pinned(s.principals, pins)) if pins and s.principals is not None else s
        for s in document.statements
    )
    return CompiledPolicy(document, name, statements)


def evaluate(
    policy: CompiledPolicy,
    question: Question,
    principal: Principal | None = None,
    *,
    has_boundary: bool = False,
) -> Finding:
    """Return a policy's finding: a Deny if one applies, else its strongest Allow, else nothing.

    Identity policies have no Principal element and need no `principal`.

    Raises:
        OutOfSteps: it costs more than the request has left.
    """
    values = question.values
    resource = question.resource
    best = NOTHING
    applicable = policy.remembered.get(question.action) or policy.applicable(question)
    if applicable.cost is not None:
        values.steps.take(applicable.cost.of((resource,)))
    for statement in applicable.statements:
        if statement.resource is not None and not statement.resource(resource, values):
            continue
        if statement.principals is None:
            way = _EVERYONE
        else:
            way = statement.way(principal, has_boundary=has_boundary)
        if way <= best.way:  # names nobody, or says nothing that is not already said
            continue
        for holds in statement.tests:
            if not holds(values):
                break
        else:
            best = statement.findings.get(way) or statement.finding(way)
            if way is _EVERYONE or not statement.allows:
                return best
    return best


def _with_principals(statement: Statement, principals: Principals) -> Statement:
    fields = {name: getattr(statement, name) for name in statement.__struct_fields__}
    return Statement(**{**fields, "principals": principals})


def _nothing(_folded: str) -> bool:
    return False


def _action_test(written: Statement, kind: Kind) -> tuple[Test, Cost]:
    # A statement stored without Action, or without Resource where one belongs, has no effect.
    if not written.actions or (not written.resources and kind is not Kind.TRUST):
        return _nothing, FREE
    patterns = [action_pieces(action) for action in written.actions]
    tests = [glob(pieces) for pieces in patterns]
    negated = written.not_action
    has_action = lambda folded: any(test(folded) for test in tests) is not negated  # noqa: E731
    return has_action, total(map(cost_of, patterns))


def _resource_test(written: Statement, *, variables: bool) -> tuple[ResourceTest | None, Cost]:
    """Return the test of the Resource element, and its cost; None when every resource fits."""
    texts = written.resources or ()
    if not texts or ("*" in texts and not written.not_resource):
        return None, FREE
    fixed: list[Filled] = []
    open_ones: list[Pieces | None] = []
    for text in texts:
        pieces = _resource_template(text, variables=variables)
        if pieces is not None and not has_variables(pieces):
            fixed.append(pieces)  # type: ignore[arg-type]  # no variable is left
        elif pieces is not None or written.not_resource or not written.allows:
            open_ones.append(pieces)
    tests = [glob(pieces) for pieces in fixed]
    cost = total((*map(cost_of, fixed), Cost(len(open_ones))))
    if not open_ones and not written.not_resource:
        return _fixed_test(tests), cost
    denies = not written.allows
    return _open_test(tests, open_ones, negated=written.not_resource, denies=denies), cost


def _resource_template(text: str, *, variables: bool) -> Pieces | None:
    """Return the pattern, or None for text that can name no resource."""
    try:
        return resource_pieces(parse_template(text, variables=variables, wildcards=True))
    except BadVariable:
        return None


def _fixed_test(tests: list[Test]) -> ResourceTest:
    if len(tests) == 1:
        only = tests[0]
        return lambda resource, _values: only(resource)
    return lambda resource, _values: any(test(resource) for test in tests)


def _open_test(
    fixed: list[Test], open_ones: list[Pieces | None], *, negated: bool, denies: bool
) -> ResourceTest:
    """Return the test of a Resource element with variables or exceptions.

    An entry without its value names no resource. As an exception (NotResource) it would widen an
    Allow, so the whole Allow does not apply then; a Deny does.
    """

    def fits(resource: str, values: Values) -> bool:
        try:
            named = any(test(resource) for test in fixed)
            for pieces in open_ones:
                ready = None if pieces is None else filled(pieces, values)
                if ready is None:
                    if negated:
                        return denies
                    continue
                values.steps.take(cost_of(ready).of((resource,)))
                named = glob(ready)(resource) or named
        except Exception:  # noqa: BLE001 - INVARIANT(deny-by-default): fail closed, whatever failed
            return denies
        return named is not negated

    return fits
