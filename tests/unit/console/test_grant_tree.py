"""Grants as a tree: what was made through another grant stands below it, and nothing is lost."""

import datetime as dt

from kagimori_console.pages.key.grant_tree import DEPTH_MAX, issuers_of, tree_of
from kagimori_console.pages.key.grants import pairs_of
from kagimori_console.pages.key.tally import Event

ROOT = "arn:aws:iam::111122223333:root"


def user(name):
    return f"arn:aws:iam::111122223333:user/{name}"


def grant(number, grantee, *operations):
    return {
        "GrantId": f"{number:064}",
        "GranteePrincipal": grantee,
        "Operations": list(operations),
        "IssuingAccount": ROOT,
        "CreationDate": dt.datetime.fromtimestamp(1_700_000_000 + number, dt.UTC),
    }


def shape(nodes):
    """Return grants as numbers, each with those below it."""
    return [(int(node.grant["GrantId"]), shape(node.children)) for node in nodes]


def issued(**names):
    return {f"{int(number[1:]):064}": name for number, name in names.items()}


def test_what_a_grantee_made_stands_below():
    grants = [
        grant(3, user("carol"), "Decrypt"),
        grant(1, user("alice"), "CreateGrant", "Encrypt", "Decrypt"),
        grant(2, user("bob"), "CreateGrant", "Decrypt"),
    ]
    (root,) = tree_of(grants, issued(n1=ROOT, n2=user("alice"), n3=user("bob")))
    assert (root.name, shape(root.nodes)) == (ROOT, [(1, [(2, [(3, [])])])])


def test_what_cannot_come_of_a_grant_stands_beside():
    grants = [
        grant(1, user("alice"), "Encrypt"),  # may not create grants
        grant(2, user("bob"), "CreateGrant", "Encrypt"),
        grant(3, user("carol"), "Encrypt"),
        grant(4, user("carol"), "Decrypt"),  # more than bob has
        grant(5, user("dave"), "CreateGrant"),
    ]
    issuers = issued(n1=ROOT, n2=ROOT, n3=user("alice"), n4=user("bob"), n5=user("dave"))
    found = {root.name: shape(root.nodes) for root in tree_of(grants, issuers)}
    assert found == {
        ROOT: [(1, []), (2, [])],
        user("alice"): [(3, [])],
        user("bob"): [(4, [])],
        user("dave"): [(5, [])],
    }


def test_without_the_trail_grants_stand_below_their_issuing_account():
    (root,) = tree_of([grant(1, ROOT, "CreateGrant"), grant(2, user("bob"), "Sign")], {})
    assert (root.name, shape(root.nodes)) == (ROOT, [(1, []), (2, [])])


def test_a_long_chain_is_bounded_and_loses_nothing():
    grants = [grant(n, ROOT, "CreateGrant") for n in range(1, 400)]
    roots = tree_of(grants, {one["GrantId"]: ROOT for one in grants})

    def count(nodes, depth=1):
        assert not nodes or depth <= DEPTH_MAX
        return sum(1 + count(node.children, depth + 1) for node in nodes)

    assert sum(count(root.nodes) for root in roots) == len(grants)


def test_the_trail_names_who_made_a_grant():
    record = {"userIdentity": {"arn": user("alice")}, "responseElements": {"grantId": "g"}}
    events = [
        Event("CreateGrant", 0.0, "", record),
        Event("CreateGrant", 0.0, "AccessDenied", {"responseElements": None}),
        Event("Encrypt", 0.0, "", {}),
    ]
    assert issuers_of(events) == {"g": user("alice")}


def test_pairs_are_lines():
    assert pairs_of("a=b\n\n c = d=e ") == {"a": "b", "c": "d=e"}
    assert pairs_of("") == {}
    assert pairs_of("a") is None
    assert pairs_of("=b") is None
    assert pairs_of("a=b\na=c") is None
