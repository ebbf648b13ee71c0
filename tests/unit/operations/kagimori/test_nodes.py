"""Nodes are listed and removed by operators; the last one stays."""

import pytest

from kagimori.entities.node_tables import NODES
from kagimori.operations.kagimori.refusals import ResourceNotFoundException
from kagimori.rules.nodes.node import Node
from kagimori.rules.refusal import ValidationException
from kit.people import Deployment

ONE, OTHER = "aaaaaaaaaa", "bbbbbbbbbb"


@pytest.fixture
def bare():
    made = Deployment()
    made.view.put(NODES, Node(node_id=ONE, joined_at=1.0), Node(node_id=OTHER, joined_at=2.0))
    return made


def kept(deployment, node):
    return deployment.view.one(NODES, (node,))


def test_a_removed_node_stays_known_as_removed(bare):
    assert bare.call("RemoveNode", NodeId=ONE).answer == {"NodeId": ONE}
    assert kept(bare, ONE).removed_at is not None
    assert kept(bare, OTHER).removed_at is None


def test_the_last_node_cannot_be_removed(bare):
    bare.call("RemoveNode", NodeId=ONE)
    with pytest.raises(ValidationException, match="last node"):
        bare.call("RemoveNode", NodeId=OTHER)
    assert kept(bare, OTHER).removed_at is None


@pytest.mark.parametrize("node", ["cccccccccc", ONE])
def test_what_is_no_member_is_not_found(bare, node):
    if node == ONE:
        bare.call("RemoveNode", NodeId=ONE)
    with pytest.raises(ResourceNotFoundException, match=f"no node {node}"):
        bare.call("RemoveNode", NodeId=node)
