"""The nodes that share the store of a deployment: listed and removed, by operators."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kagimori.entities.node_tables import NODES
from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.operators import check_operator, deployment_view
from kagimori.operations.kagimori.inspecting import Inspecting, asker
from kagimori.operations.kagimori.refusals import ResourceNotFoundException
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.ports import Expect, Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.nodes.node import Node
from kagimori.rules.refusal import ValidationException

_LIST: Final = "kagimori:ListNodes"
_REMOVE: Final = "kagimori:RemoveNode"


class FoundNodes(Facts):
    """The nodes, in the members of the answer."""

    nodes: Sequence[Mapping[str, Any]] = ()


class ListNodes(Inspecting[FoundNodes]):
    def look_up(self, asked: Asked) -> FoundNodes:
        check_operator(asked, _LIST)
        return FoundNodes((Need(_LIST),))

    def read(self, asked: Asked, facts: FoundNodes) -> FoundNodes:
        return FoundNodes(facts.needs, nodes=self.inspector.nodes(asker(asked)))

    def finish(self, asked: Request, facts: FoundNodes, reply: None) -> Outcome:
        return Outcome({"Nodes": list(facts.nodes)})


class FoundNode(Facts):
    """The node to remove, and the members that would be left."""

    node: Node | None = None
    others: Sequence[Node] = ()


class RemoveNode(Operation[FoundNode, None]):
    """Remove a node: it stops by itself if it runs, and cannot be served again."""

    service = "kagimori"

    def look_up(self, asked: Asked) -> FoundNode:
        check_operator(asked, _REMOVE)
        return FoundNode((Need(_REMOVE),))

    def read(self, asked: Asked, facts: FoundNode) -> FoundNode:
        nodes = deployment_view(asked, _REMOVE).page(NODES, (), None, NODES_MAX)
        members = {node.node_id: node for node in nodes if node.removed_at is None}
        found = members.pop(asked.call.input.NodeId, None)
        return FoundNode(facts.needs, node=found, others=tuple(members.values()))

    def ask(self, asked: Request, allowed: Allowed, facts: FoundNode) -> None:
        if facts.node is None:
            raise ResourceNotFoundException(f"There is no node {asked.call.input.NodeId}.")
        if not facts.others:
            raise ValidationException("The last node of a deployment cannot be removed.")

    def finish(self, asked: Request, facts: FoundNode, reply: None) -> Outcome:
        if facts.node is None:
            raise ResourceNotFoundException(f"There is no node {asked.call.input.NodeId}.")
        after = changed(facts.node, removed_at=round(asked.now, 3))
        answer = {"NodeId": facts.node.node_id}
        # Two who remove the last two at once: one of them finds that the other node is not left.
        writes = (Put(NODES, after, facts.node), Expect(NODES, facts.others[0]))
        return Outcome(answer, writes, answer)


NODES_MAX: Final = 10_000
