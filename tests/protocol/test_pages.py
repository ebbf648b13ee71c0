"""Every list, page by page, without a gap or a repeat while others write. Reference: 2.4."""

import threading
import uuid

import pytest

import serving
from serving import refused


@pytest.fixture(scope="module")
def crowded():
    """A `dev` server of these tests' own."""
    with serving.dev_served() as server:
        yield server


@pytest.fixture(scope="module")
def kms(crowded):
    client = crowded.client()
    yield client
    client.close()


ALONE = {"access_key": "222233334444"}  # an account in which nobody else makes anything


def at_once(server, count, make):
    """Call `make(client, number)` for so many numbers from four clients; return what it returned."""
    numbers, lock, made = iter(range(count)), threading.Lock(), []

    def work():
        client = server.client(**ALONE)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                break
            found = make(client, number)
            with lock:
                made.append(found)
        client.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return made


class Meanwhile:
    """Keys and aliases that come, and aliases that go, while somebody lists."""

    def __init__(self, server, key):
        self.keys, self.aliases, self.turns = set(), set(), 0
        self._server, self._key = server, key
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _write(self):
        client = self._server.client(**ALONE)
        while not self._stop.is_set():
            self.keys.add(client.create_key()["KeyMetadata"]["KeyId"])
            name = f"alias/{uuid.uuid4()}"
            self.aliases.add(name)
            client.create_alias(AliasName=name, TargetKeyId=self._key)
            if self.turns % 2:
                client.delete_alias(AliasName=name)
            if self.turns % 40 == 39:  # there may be 50 to a key
                self._key = client.create_key()["KeyMetadata"]["KeyId"]
                self.keys.add(self._key)
            self.turns += 1
        client.close()


def listed(kms, operation, member, size=None, **given):
    settings = {"PageSize": size} if size else {}
    pages = kms.get_paginator(operation).paginate(PaginationConfig=settings, **given)
    return [found for page in pages for found in page[member]]


def test_1000_keys_and_1000_aliases(crowded):
    kms = crowded.client(**ALONE)
    keys = set(at_once(crowded, 1000, lambda c, n: c.create_key()["KeyMetadata"]["KeyId"]))
    targets = sorted(keys)[:25]
    names = [f"alias/{uuid.uuid4()}" for _ in range(1000)]

    def new_alias(client, number):
        client.create_alias(AliasName=names[number], TargetKeyId=targets[number // 40])

    at_once(crowded, 1000, new_alias)
    with Meanwhile(crowded, sorted(keys)[25]) as others:
        for size in (None, 1000, 83):
            found = [one["KeyId"] for one in listed(kms, "list_keys", "Keys", size)]
            assert len(found) == len(set(found))
            assert keys <= set(found)
        for size in (None, 100, 37):
            found = [one["AliasName"] for one in listed(kms, "list_aliases", "Aliases", size)]
            assert len(found) == len(set(found))
            assert set(names) <= set(found)
        for number, target in enumerate(targets[:5]):
            found = listed(kms, "list_aliases", "Aliases", 7, KeyId=target)
            assert sorted(one["AliasName"] for one in found) == sorted(
                names[number * 40 : number * 40 + 40]
            )
    assert others.turns > 0
    found = {one["KeyId"] for one in listed(kms, "list_keys", "Keys")}
    assert found == keys | others.keys
    kms.close()


@pytest.mark.parametrize("size", [1, 7, 50])
def test_tags(kms, size):
    key = kms.create_key()["KeyMetadata"]["Arn"]
    tags = [{"TagKey": f"k{n:02}", "TagValue": str(n)} for n in range(50)]
    kms.tag_resource(KeyId=key, Tags=tags)
    found = listed(kms, "list_resource_tags", "Tags", size, KeyId=key)
    assert sorted(found, key=lambda tag: tag["TagKey"]) == tags


def test_key_policies(kms):
    key = kms.create_key()["KeyMetadata"]["Arn"]
    assert listed(kms, "list_key_policies", "PolicyNames", 1, KeyId=key) == ["default"]


@pytest.mark.parametrize(
    ("operation", "most"),
    [("list_keys", 1000), ("list_aliases", 100)],
)
def test_limits(kms, operation, most):
    call = getattr(kms, operation)
    assert call(Limit=most)["ResponseMetadata"]["HTTPStatusCode"] == 200
    if most < 1000:
        with refused("ValidationException"):
            call(Limit=most + 1)
    with refused("InvalidMarkerException"):
        call(Marker="nobody gave this")


def test_marker_is_of_one_list(kms):
    for _ in range(2):
        kms.create_key()
    marker = kms.list_keys(Limit=1)["NextMarker"]
    assert kms.list_keys(Marker=marker, Limit=1)["Keys"]
    with refused("InvalidMarkerException"):
        kms.list_aliases(Marker=marker)
    with refused("InvalidMarkerException"):
        kms.list_keys(Marker=marker, ResourceOwners=["OTHER_ACCOUNTS_VIA_RAM"])
    with refused("InvalidMarkerException"):
        kms.list_keys(Marker=marker + "A")


def test_marker_of_another_region_or_account_shows_nothing_of_theirs(crowded, kms):
    for _ in range(2):
        kms.create_key()
    marker = kms.list_keys(Limit=1)["NextMarker"]
    own = {one["KeyId"] for one in listed(kms, "list_keys", "Keys")}
    for settings in ({"region": "eu-west-1"}, {"access_key": "111122223333"}):
        other = crowded.client(**settings)
        try:
            assert not own & {one["KeyId"] for one in other.list_keys(Marker=marker)["Keys"]}
        except other.exceptions.InvalidMarkerException:
            pass
        other.close()
