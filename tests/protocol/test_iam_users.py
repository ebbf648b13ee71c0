"""boto3 and IAM: users, their access keys and groups. Reference: 23.1."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

import serving
from serving import refused


@pytest.fixture(scope="module")
def iam(own_server):
    client = own_server.client("iam")
    yield client
    client.close()


@pytest.fixture
def alice(iam):
    """A user of that name, gone afterwards with all it has."""
    user = iam.create_user(UserName="alice", Path="/people/")["User"]
    yield user
    for name in [one["UserName"] for one in iam.list_users()["Users"]]:
        forget(iam, name)


def forget(iam, name):
    for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    for group in iam.list_groups_for_user(UserName=name)["Groups"]:
        iam.remove_user_from_group(UserName=name, GroupName=group["GroupName"])
        iam.delete_group(GroupName=group["GroupName"])
    iam.delete_user(UserName=name)


def tag(**tags):
    return [{"Key": key, "Value": value} for key, value in tags.items()]


# --- users ----------------------------------------------------------------------------------------


def test_a_user_is_shown_as_it_was_made(own_server, iam, alice):
    assert alice["Arn"] == f"arn:aws:iam::{own_server.account}:user/people/alice"
    assert re.fullmatch("AIDA[A-Z2-7]{17}", alice["UserId"])
    assert iam.get_user(UserName="alice")["User"] == alice
    assert [user["Arn"] for user in iam.list_users()["Users"]] == [alice["Arn"]]


def test_the_root_user_is_shown_itself(own_server, iam):
    user = iam.get_user()["User"]
    assert user["Arn"] == f"arn:aws:iam::{own_server.account}:root"
    assert user["UserId"] == own_server.account
    assert "UserName" not in user


def test_names_are_unique_ignoring_case(iam, alice):
    with refused("EntityAlreadyExists", "User with name ALICE already exists.", 409):
        iam.create_user(UserName="ALICE")
    with refused("NoSuchEntity", "The user with name ALICE cannot be found.", 404):
        iam.get_user(UserName="ALICE")


def test_a_renamed_user_keeps_what_it_has(own_server, iam, alice):
    key = iam.create_access_key(UserName="alice")["AccessKey"]["AccessKeyId"]
    iam.create_group(GroupName="crew")
    iam.add_user_to_group(UserName="alice", GroupName="crew")
    iam.tag_user(UserName="alice", Tags=tag(team="vault"))
    iam.update_user(UserName="alice", NewUserName="Bob", NewPath="/other/")
    bob = iam.get_user(UserName="Bob")["User"]
    assert bob["Arn"] == f"arn:aws:iam::{own_server.account}:user/other/Bob"
    assert (bob["UserId"], bob["CreateDate"]) == (alice["UserId"], alice["CreateDate"])
    assert bob["Tags"] == tag(team="vault")
    assert [u["UserName"] for u in iam.get_group(GroupName="crew")["Users"]] == ["Bob"]
    listed = iam.list_access_keys(UserName="Bob")["AccessKeyMetadata"]
    assert [(one["UserName"], one["AccessKeyId"]) for one in listed] == [("Bob", key)]
    with refused("NoSuchEntity", status=404):
        iam.get_user(UserName="alice")
    iam.update_user(UserName="Bob", NewUserName="bob")
    assert iam.get_user(UserName="bob")["User"]["UserId"] == alice["UserId"]
    assert len(iam.list_access_keys(UserName="bob")["AccessKeyMetadata"]) == 1


def test_a_name_that_is_taken_is_not_given(iam, alice):
    iam.create_user(UserName="bob")
    with refused("EntityAlreadyExists", "User with name BOB already exists.", 409):
        iam.update_user(UserName="alice", NewUserName="BOB")


def test_a_user_with_something_left_is_not_deleted(iam, alice):
    iam.create_access_key(UserName="alice")
    message = "Cannot delete entity, must delete access keys first."
    with refused("DeleteConflict", message, 409):
        iam.delete_user(UserName="alice")


def test_users_are_listed_in_pages_by_path(iam, alice):
    for number in range(7):
        iam.create_user(UserName=f"user{number}", Path="/robots/" if number % 2 else "/")
    pages = list(iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 3}))
    names = [[user["UserName"] for user in page["Users"]] for page in pages]
    assert names == [["alice", "user0", "user1"], ["user2", "user3", "user4"], ["user5", "user6"]]
    robots = iam.list_users(PathPrefix="/robots/")["Users"]
    assert [user["UserName"] for user in robots] == ["user1", "user3", "user5"]
    marker = iam.list_users(MaxItems=1)["Marker"]
    with refused("ValidationError", "Invalid Marker."):
        iam.list_users(PathPrefix="/robots/", Marker=marker)


# --- tags -----------------------------------------------------------------------------------------


def test_tags_of_a_user(iam, alice):
    iam.tag_user(UserName="alice", Tags=tag(team="vault", Stage="test"))
    iam.tag_user(UserName="alice", Tags=tag(stage="live"))
    listed = iam.get_paginator("list_user_tags").paginate(
        UserName="alice", PaginationConfig={"PageSize": 1}
    )
    assert [t for page in listed for t in page["Tags"]] == tag(stage="live", team="vault")
    iam.untag_user(UserName="alice", TagKeys=["TEAM", "never"])
    assert iam.list_user_tags(UserName="alice")["Tags"] == tag(stage="live")


@pytest.mark.parametrize(
    ("tags", "code", "status"),
    [
        pytest.param(tag(a="1", A="2"), "InvalidInput", 400, id="twice"),
        pytest.param([{"Key": "aws:x", "Value": ""}], "ValidationError", 400, id="reserved"),
        pytest.param(tag(**{f"k{n}": "" for n in range(51)}), "ValidationError", 400, id="51"),
    ],
)
def test_refused_tags(iam, alice, tags, code, status):
    with refused(code, status=status):
        iam.tag_user(UserName="alice", Tags=tags)
    assert iam.list_user_tags(UserName="alice")["Tags"] == []


def test_more_tags_than_fit(iam, alice):
    iam.tag_user(UserName="alice", Tags=tag(**{f"k{n}": "" for n in range(50)}))
    with refused("LimitExceeded", status=409):
        iam.tag_user(UserName="alice", Tags=tag(another=""))


# --- access keys ----------------------------------------------------------------------------------


def test_the_life_of_an_access_key(iam, alice):
    made = iam.create_access_key(UserName="alice")["AccessKey"]
    assert re.fullmatch("AKIA[A-Z2-7]{16}", made["AccessKeyId"])
    assert len(made["SecretAccessKey"]) == 40
    assert (made["UserName"], made["Status"]) == ("alice", "Active")
    key = made["AccessKeyId"]
    iam.update_access_key(UserName="alice", AccessKeyId=key, Status="Inactive")
    (listed,) = iam.list_access_keys(UserName="alice")["AccessKeyMetadata"]
    assert (listed["AccessKeyId"], listed["Status"]) == (key, "Inactive")
    used = iam.get_access_key_last_used(AccessKeyId=key)
    assert used["UserName"] == "alice"
    assert used["AccessKeyLastUsed"] == {"ServiceName": "N/A", "Region": "N/A"}
    iam.delete_access_key(UserName="alice", AccessKeyId=key)
    with refused("NoSuchEntity", f"The Access Key with id {key} cannot be found.", 404):
        iam.delete_access_key(UserName="alice", AccessKeyId=key)


def test_the_root_user_has_access_keys_of_its_own(own_server, iam):
    made = iam.create_access_key()["AccessKey"]
    try:
        keys = iam.list_access_keys()["AccessKeyMetadata"]
        expected = {made["AccessKeyId"], own_server.made["access_key_id"]}
        assert {key["AccessKeyId"] for key in keys} == expected
        sts = own_server.client(
            "sts", access_key=made["AccessKeyId"], secret=made["SecretAccessKey"]
        )
        assert sts.get_caller_identity()["Arn"].endswith(":root")
        sts.close()
    finally:
        iam.delete_access_key(AccessKeyId=made["AccessKeyId"])


def test_at_most_two_access_keys_however_many_ask_at_once(own_server, alice):
    clients = [own_server.client("iam") for _ in range(8)]

    def make(client):
        try:
            return client.create_access_key(UserName="alice")["AccessKey"]["AccessKeyId"]
        except client.exceptions.LimitExceededException as problem:
            assert problem.response["Error"]["Message"] == (
                "Cannot exceed quota for AccessKeysPerUser: 2"
            )
            return None

    with ThreadPoolExecutor(8) as pool:
        made = [key for key in pool.map(make, clients) if key]
    listed = clients[0].list_access_keys(UserName="alice")["AccessKeyMetadata"]
    assert sorted(made) == sorted(key["AccessKeyId"] for key in listed)
    assert len(made) == 2
    for client in clients:
        client.close()


def test_of_many_namesakes_one_is_made():
    """Workers of their own decide; the store lets one of them have the name."""
    with serving.served("--workers", "2") as server:
        clients = [server.client("iam") for _ in range(8)]

        def make(client, name):
            try:
                client.create_user(UserName=name)
            except client.exceptions.EntityAlreadyExistsException:
                return None
            return name

        for number in range(5):
            names = [f"Alice{number}" if place % 2 else f"alice{number}" for place in range(8)]
            with ThreadPoolExecutor(8) as pool:
                (made,) = filter(None, pool.map(make, clients, names))
            for client in clients:
                listed = [user["UserName"] for user in client.list_users()["Users"]]
                assert [name for name in listed if name.lower() == made.lower()] == [made]
        for client in clients:
            client.close()


# --- groups ---------------------------------------------------------------------------------------


def test_the_life_of_a_group(own_server, iam, alice):
    made = iam.create_group(GroupName="Crew", Path="/a/")["Group"]
    assert made["Arn"] == f"arn:aws:iam::{own_server.account}:group/a/Crew"
    assert re.fullmatch("AGPA[A-Z2-7]{17}", made["GroupId"])
    iam.add_user_to_group(GroupName="Crew", UserName="alice")
    iam.add_user_to_group(GroupName="Crew", UserName="alice")
    shown = iam.get_group(GroupName="Crew")
    assert shown["Group"] == made
    assert [user["UserName"] for user in shown["Users"]] == ["alice"]
    iam.update_group(GroupName="Crew", NewGroupName="staff", NewPath="/b/")
    (group,) = iam.list_groups_for_user(UserName="alice")["Groups"]
    assert group["Arn"] == f"arn:aws:iam::{own_server.account}:group/b/staff"
    message = "Cannot delete entity, must remove users from group first."
    with refused("DeleteConflict", message, 409):
        iam.delete_group(GroupName="staff")
    with refused("DeleteConflict", message, 409):
        iam.delete_user(UserName="alice")
    iam.remove_user_from_group(GroupName="staff", UserName="alice")
    iam.delete_group(GroupName="staff")
    assert iam.list_groups()["Groups"] == []


def test_a_user_is_in_ten_groups_at_most(iam, alice):
    for number in range(11):
        iam.create_group(GroupName=f"group{number:02}")
    for number in range(10):
        iam.add_user_to_group(GroupName=f"group{number:02}", UserName="alice")
    with refused("LimitExceeded", "Cannot exceed quota for GroupsPerUser: 10", 409):
        iam.add_user_to_group(GroupName="group10", UserName="alice")
    pages = iam.get_paginator("list_groups_for_user").paginate(
        UserName="alice", PaginationConfig={"PageSize": 4}
    )
    assert [len(page["Groups"]) for page in pages] == [4, 4, 2]
    iam.delete_group(GroupName="group10")


def test_a_group_of_many_is_shown_in_pages(iam, alice):
    iam.create_group(GroupName="crew")
    for number in range(5):
        iam.create_user(UserName=f"user{number}")
        iam.add_user_to_group(GroupName="crew", UserName=f"user{number}")
    pages = iam.get_paginator("get_group").paginate(
        GroupName="crew", PaginationConfig={"PageSize": 2}
    )
    names = [[user["UserName"] for user in page["Users"]] for page in pages]
    assert names == [["user0", "user1"], ["user2", "user3"], ["user4"]]
    for number in range(5):
        iam.remove_user_from_group(GroupName="crew", UserName=f"user{number}")
    iam.delete_group(GroupName="crew")


@pytest.mark.parametrize(
    ("action", "parameters", "message"),
    [
        ("get_user", {"UserName": "bob"}, "The user with name bob cannot be found."),
        ("delete_user", {"UserName": "bob"}, "The user with name bob cannot be found."),
        ("update_user", {"UserName": "bob"}, "The user with name bob cannot be found."),
        ("list_user_tags", {"UserName": "bob"}, "The user with name bob cannot be found."),
        ("create_access_key", {"UserName": "bob"}, "The user with name bob cannot be found."),
        ("get_group", {"GroupName": "crew"}, "The group with name crew cannot be found."),
        ("delete_group", {"GroupName": "crew"}, "The group with name crew cannot be found."),
        (
            "add_user_to_group",
            {"GroupName": "crew", "UserName": "alice"},
            "The group with name crew cannot be found.",
        ),
        (
            "get_access_key_last_used",
            {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"},
            "The Access Key with id AKIAIOSFODNN7EXAMPLE cannot be found.",
        ),
    ],
)
def test_what_is_not_there(iam, action, parameters, message):
    with refused("NoSuchEntity", message, 404):
        getattr(iam, action)(**parameters)


def test_every_character_that_a_name_may_have(own_server, iam):
    name = "a+b=c,d.e@f-g_H9"
    made = iam.create_user(UserName=name, Path="/!#$%&'()*+,-.:;<=>?@[]^_`{|}~/")["User"]
    try:
        assert iam.get_user(UserName=name)["User"] == made
        listed = iam.list_users(PathPrefix="/!#$%&'()")["Users"]
        assert [user["Arn"] for user in listed] == [made["Arn"]]
    finally:
        iam.delete_user(UserName=name)


@pytest.mark.parametrize(
    "parameters",
    [
        {"UserName": "a b"},
        {"UserName": "\u212aelvin"},
        {"UserName": "al\u0131ce"},
        {"UserName": "a" * 65},
        {"UserName": "alice", "Path": "no-slash"},
        {"UserName": "größe/"},
    ],
)
def test_names_and_paths_that_cannot_be(iam, parameters):
    with refused("ValidationError"):
        iam.create_user(**parameters)
