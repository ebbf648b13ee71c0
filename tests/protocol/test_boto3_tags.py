"""boto3 and tags. Reference: 1.4, 2.4, 2.5 (last paragraph)."""

import pytest

from serving import Signed, refused


def tags_of(kms, key):
    pages = kms.get_paginator("list_resource_tags").paginate(KeyId=key)
    return {tag["TagKey"]: tag["TagValue"] for page in pages for tag in page["Tags"]}


def tag(kms, key, **tags):
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": k, "TagValue": v} for k, v in tags.items()])


def test_tags_are_set_overwritten_and_removed(kms, key):
    assert kms.list_resource_tags(KeyId=key)["Tags"] == []
    tag(kms, key, team="vault", stage="test")
    tag(kms, key.rpartition("/")[2], stage="live", empty="")
    assert tags_of(kms, key) == {"team": "vault", "stage": "live", "empty": ""}
    kms.untag_resource(KeyId=key, TagKeys=["team", "never-there"])
    assert tags_of(kms, key) == {"stage": "live", "empty": ""}
    kms.untag_resource(KeyId=key, TagKeys=["stage", "empty", "empty"])
    assert tags_of(kms, key) == {}


def test_tags_are_listed_by_key(kms, key):
    tag(kms, key, b="1", a="2", c="3", B="4")
    listed = [entry["TagKey"] for entry in kms.list_resource_tags(KeyId=key)["Tags"]]
    assert listed == sorted(listed)
    assert tags_of(kms, key) == {"B": "4", "a": "2", "b": "1", "c": "3"}


@pytest.mark.parametrize(
    "pair", [("key with space", "a_b.c:d/e=f+g-h@i"), ("größe", "鍵"), ("a" * 128, "b" * 256)]
)
def test_characters_that_tags_may_have(kms, key, pair):
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": pair[0], "TagValue": pair[1]}])
    assert tags_of(kms, key) == dict([pair])


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        pytest.param([("a", "1"), ("a", "2")], "Duplicate tag keys", id="twice"),
        pytest.param([("aws:x", "1")], "Tags beginning with aws: are reserved", id="reserved"),
        pytest.param([("Aws:x", "1")], "Tags beginning with aws: are reserved", id="any-case"),
        pytest.param([("a;b", "1")], "Invalid tag", id="key-character"),
        pytest.param([("a", "<b>")], "Invalid tag", id="value-character"),
        pytest.param([(f"k{n}", "") for n in range(51)], "Too many tags", id="51-at-once"),
    ],
)
def test_refused_tags(kms, key, tags, message):
    with refused("TagException", message):
        kms.tag_resource(KeyId=key, Tags=[{"TagKey": k, "TagValue": v} for k, v in tags])
    assert tags_of(kms, key) == {}


def test_reserved_keys_cannot_be_removed(kms, key):
    with refused("TagException", "Tags beginning with aws: are reserved"):
        kms.untag_resource(KeyId=key, TagKeys=["aws:x"])


def test_a_key_has_fifty_tags(kms, key):
    tag(kms, key, **{f"k{number:02}": str(number) for number in range(50)})
    with refused("TagException", "Too many tags"):
        tag(kms, key, one="more")
    tag(kms, key, k00="again")
    assert len(tags_of(kms, key)) == 50


@pytest.mark.parametrize("size", [1, 3, 50])
def test_pages(kms, key, size):
    tag(kms, key, **{f"k{number}": str(number) for number in range(7)})
    pages = list(
        kms.get_paginator("list_resource_tags").paginate(
            KeyId=key, PaginationConfig={"PageSize": size}
        )
    )
    found = [entry["TagKey"] for page in pages for entry in page["Tags"]]
    assert found == [f"k{number}" for number in range(7)]
    assert [page["Truncated"] for page in pages] == [True] * (len(pages) - 1) + [False]


def test_markers_belong_to_a_key(kms, key, shared_key):
    tag(kms, key, a="1", b="2")
    marker = kms.list_resource_tags(KeyId=key, Limit=1)["NextMarker"]
    assert kms.list_resource_tags(KeyId=key, Marker=marker)["Tags"][0]["TagKey"] == "b"
    with refused("InvalidMarkerException", ""):
        kms.list_resource_tags(KeyId=shared_key, Marker=marker)
    with refused("InvalidMarkerException", ""):
        kms.list_resource_tags(KeyId=key, Marker="other")


@pytest.mark.parametrize(
    ("tags", "place"),
    [
        ([{"TagKey": "", "TagValue": "v"}], "tags.1.member.tagKey"),
        ([{"TagKey": "k" * 129, "TagValue": "v"}], "tags.1.member.tagKey"),
        (
            [{"TagKey": "a", "TagValue": ""}, {"TagKey": "b", "TagValue": "v" * 257}],
            "tags.2.member.tagValue",
        ),
        ([{"TagKey": "k"}], "tags.1.member.tagValue"),
    ],
)
def test_broken_constraints_say_where(server, key, tags, place):
    answer = server.send(Signed(server, "TagResource", {"KeyId": key, "Tags": tags}))
    assert answer.json["__type"] == "ValidationException"
    assert f"at '{place}' failed to satisfy constraint: Member must " in answer.json["message"]


@pytest.mark.parametrize("limit", [0, 51])
def test_limits(server, key, limit):
    answer = server.send(Signed(server, "ListResourceTags", {"KeyId": key, "Limit": limit}))
    assert answer.json["__type"] == "ValidationException"
    assert f"Value '{limit}' at 'limit'" in answer.json["message"]
