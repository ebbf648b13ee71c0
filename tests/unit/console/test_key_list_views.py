"""The filter and order of a list of keys as its address has them."""

import pytest

from kagimori_console.pages.keys.filters import view_of


def view(**given):
    return view_of(lambda name: given.get(name, ""))


def test_a_view_asks_for_what_its_address_says():
    found = view(alias=" orders ", state="Enabled", kind="PRIMARY", tag="team=shop=1", other="x")
    assert found.members == {
        "Alias": "orders",
        "KeyState": "Enabled",
        "RegionKind": "PRIMARY",
        "TagKey": "team",
        "TagValue": "shop=1",
    }


@pytest.mark.parametrize(
    ("tag", "members"),
    [
        ("team", {"TagKey": "team"}),
        ("team=", {"TagKey": "team", "TagValue": ""}),
        ("=shop", {"TagValue": "shop"}),
    ],
)
def test_a_tag_is_a_key_or_a_pair(tag, members):
    assert view(tag=tag).members == members


def test_an_address_is_that_of_its_view():
    first = view(alias="a&b=c", order="-created", page="3")
    assert first.query == "?alias=a%26b%3Dc&order=-created&page=3"
    assert view().query == ""


def test_a_column_sorts_one_way_and_then_the_other():
    once = view(after="token", page="4").sorted_by("alias")
    assert (once.order, once.after, once.number, once.direction("alias")) == (
        "alias",
        "",
        1,
        "ascending",
    )
    assert once.sorted_by("alias").direction("alias") == "descending"
    assert once.direction("state") == "none"
    keys = [{"Aliases": []}, {"Aliases": ["alias/b"]}, {"Aliases": ["alias/A"]}]
    assert [one["Aliases"] for one in once.in_order(keys)] == [["alias/A"], ["alias/b"], []]


@pytest.mark.parametrize("page", ["", "0", "-1", "x", "99999999999", "²"])
def test_an_odd_page_is_the_first(page):
    assert view(page=page).number == 1


def test_an_order_that_there_is_not_is_none():
    assert view(order="secret").order == ""
