"""Rotation by schedule and on demand, with time that moves. Reference: 7."""

import os

import pytest

import outside
import serving
from dev_clock import DAY, advance, now
from serving import eventually, refused

NO_MORE = (
    "The on-demand rotations limit has been reached for the given keyId. No more on-demand "
    "rotations can be performed for this key: "
)
SECONDS_SLACK = 10.0
BEHIND = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE", "ImportType": "NEW_KEY_MATERIAL"}


@pytest.fixture(scope="module")
def moving():
    """A `dev` server whose clock only these tests move."""
    with serving.dev_served() as server:
        yield server


@pytest.fixture(scope="module")
def kms(moving):
    client = moving.client(parameter_validation=False)
    yield client
    client.close()


@pytest.fixture(scope="module")
def kms_abroad(moving):
    client = moving.client(region="eu-west-1")
    yield client
    client.close()


@pytest.fixture
def key(kms):
    return kms.create_key()["KeyMetadata"]["Arn"]


def status(kms, key):
    found = kms.get_key_rotation_status(KeyId=key)
    found.pop("ResponseMetadata")
    return found


def next_date(kms, key):
    return status(kms, key)["NextRotationDate"].timestamp()


def material(kms, key):
    return kms.describe_key(KeyId=key)["KeyMetadata"].get("CurrentKeyMaterialId")


def rotations(kms, key, **options):
    return kms.list_key_rotations(KeyId=key, **options)["Rotations"]


def rotate(kms, key):
    """Rotate on demand, to its end."""
    before = material(kms, key)
    assert kms.rotate_key_on_demand(KeyId=key)["KeyId"] == key
    eventually(lambda: "OnDemandRotationStartDate" not in status(kms, key))
    assert material(kms, key) != before


def encrypted(kms, key):
    text = os.urandom(16)
    return text, kms.encrypt(KeyId=key, Plaintext=text)["CiphertextBlob"]


def opens(kms, pairs):
    return all(kms.decrypt(CiphertextBlob=blob)["Plaintext"] == text for text, blob in pairs)


def about(value, expected):
    return abs(value - expected) < SECONDS_SLACK


# --- the schedule ---------------------------------------------------------------------------------


def test_new_key_does_not_rotate(kms, key):
    assert status(kms, key) == {"KeyId": key, "KeyRotationEnabled": False}
    assert rotations(kms, key) == []


@pytest.mark.parametrize("days", [None, 90, 365, 2560])
def test_schedule_begins_when_it_is_enabled(moving, kms, key, days):
    began = now(moving)
    kms.enable_key_rotation(KeyId=key, **({"RotationPeriodInDays": days} if days else {}))
    found = status(kms, key)
    date = found.pop("NextRotationDate").timestamp()
    assert found == {"KeyId": key, "KeyRotationEnabled": True, "RotationPeriodInDays": days or 365}
    assert about(date, began + (days or 365) * DAY)


@pytest.mark.parametrize("days", [0, 89, 2561])
def test_periods_out_of_bounds(kms, key, days):
    with refused("ValidationException"):
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=days)
    assert status(kms, key)["KeyRotationEnabled"] is False


def test_another_period_counts_from_the_same_beginning(moving, kms, key):
    began = now(moving)
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=200)
    advance(moving, days=50)
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=300)
    assert about(next_date(kms, key), began + 300 * DAY)
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=100)
    assert about(next_date(kms, key), began + 100 * DAY)
    advance(moving, days=51)
    assert len(rotations(kms, key)) == 1
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    assert about(next_date(kms, key), began + 190 * DAY)


def test_shorter_period_whose_date_has_passed_rotates_later(moving, kms, key):
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=365)
    advance(moving, days=200)
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    assert next_date(kms, key) > now(moving)
    assert rotations(kms, key) == []


def test_disabled_and_enabled_again_the_schedule_restarts(moving, kms, key):
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=100)
    advance(moving, days=60)
    kms.disable_key_rotation(KeyId=key)
    kms.disable_key_rotation(KeyId=key)
    assert status(kms, key) == {"KeyId": key, "KeyRotationEnabled": False}
    advance(moving, days=60)
    assert rotations(kms, key) == []
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=100)
    assert about(next_date(kms, key), now(moving) + 100 * DAY)


def test_rotates_on_its_date_and_not_before(moving, kms, key):
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    due, first = next_date(kms, key), material(kms, key)
    before = kms.describe_key(KeyId=key)["KeyMetadata"]
    pair = encrypted(kms, key)
    advance(moving, seconds=due - now(moving) - 60)
    assert material(kms, key) == first
    advance(moving, seconds=61)
    assert material(kms, key) != first
    after = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert after.pop("CurrentKeyMaterialId") != before.pop("CurrentKeyMaterialId")
    assert after == before
    assert about(next_date(kms, key), due + 90 * DAY)
    (entry,) = rotations(kms, key)
    assert entry["RotationType"] == "AUTOMATIC"
    assert about(entry["RotationDate"].timestamp(), now(moving))
    old = kms.decrypt(CiphertextBlob=pair[1])
    assert (old["Plaintext"], old["KeyMaterialId"]) == (pair[0], first)
    made = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert made["KeyMaterialId"] == material(kms, key)
    moved = kms.re_encrypt(CiphertextBlob=pair[1], DestinationKeyId=key)
    assert moved["SourceKeyMaterialId"] == first
    assert moved["DestinationKeyMaterialId"] == material(kms, key)


def test_every_generation_still_decrypts(moving, kms, key):
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    pairs, materials = [encrypted(kms, key)], [material(kms, key)]
    for turn in range(8):
        if turn % 2:
            rotate(kms, key)
        else:
            advance(moving, days=91)
        pairs.append(encrypted(kms, key))
        materials.append(material(kms, key))
        assert opens(kms, pairs)
    assert len(set(materials)) == 9
    shown = rotations(kms, key, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    assert [entry["KeyMaterialId"] for entry in shown] == materials
    assert [entry["KeyMaterialState"] for entry in shown] == ["NON_CURRENT"] * 8 + ["CURRENT"]
    kinds = [entry.get("RotationType") for entry in shown]
    assert kinds == [None, *["AUTOMATIC", "ON_DEMAND"] * 4]
    dates = [entry["RotationDate"] for entry in shown[1:]]
    assert dates == sorted(dates)
    assert "RotationDate" not in shown[0]
    assert not {"ImportState", "ExpirationModel", "ValidTo"} & set().union(*shown)


def test_missed_rotations_are_made_up_for_once(moving, kms, key):
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    due = next_date(kms, key)
    advance(moving, days=90 * 4 + 45)
    assert len(rotations(kms, key)) == 1
    assert about(next_date(kms, key), due + 4 * 90 * DAY)


# --- states ---------------------------------------------------------------------------------------


def test_disabled_key_rotates_when_it_is_enabled_again(moving, kms, key):
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    due, first = next_date(kms, key), material(kms, key)
    kms.disable_key(KeyId=key)
    for call in (kms.enable_key_rotation, kms.disable_key_rotation, kms.rotate_key_on_demand):
        with refused("DisabledException", f"{key} is disabled."):
            call(KeyId=key)
    advance(moving, days=300)
    assert material(kms, key) == first
    assert status(kms, key)["KeyRotationEnabled"] is True
    assert rotations(kms, key) == []
    kms.enable_key(KeyId=key)
    eventually(lambda: material(kms, key) != first)
    assert len(rotations(kms, key)) == 1
    assert about(next_date(kms, key), due + 3 * 90 * DAY)


def test_disabled_key_whose_date_is_ahead_keeps_it(moving, kms, key):
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    due = next_date(kms, key)
    kms.disable_key(KeyId=key)
    advance(moving, days=45)
    kms.enable_key(KeyId=key)
    assert next_date(kms, key) == due
    assert rotations(kms, key) == []


def test_key_pending_deletion_does_not_rotate(moving, kms, key):
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    due, first = next_date(kms, key), material(kms, key)
    advance(moving, days=80)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=30)
    assert status(kms, key) == {"KeyId": key, "KeyRotationEnabled": False}
    for call in (kms.enable_key_rotation, kms.disable_key_rotation, kms.rotate_key_on_demand):
        with refused("KMSInvalidStateException", f"{key} is pending deletion."):
            call(KeyId=key)
    advance(moving, days=20)
    assert material(kms, key) == first
    assert rotations(kms, key) == []
    kms.cancel_key_deletion(KeyId=key)
    found = status(kms, key)
    assert (found["KeyRotationEnabled"], found["RotationPeriodInDays"]) == (True, 90)
    kms.enable_key(KeyId=key)
    eventually(lambda: material(kms, key) != first)
    assert about(next_date(kms, key), due + 90 * DAY)


# --- on demand ------------------------------------------------------------------------------------


def test_on_demand_leaves_the_schedule_alone(moving, kms, key):
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=180)
    due = next_date(kms, key)
    rotate(kms, key)
    assert next_date(kms, key) == due
    (entry,) = rotations(kms, key)
    assert entry["RotationType"] == "ON_DEMAND"
    advance(moving, days=181)
    assert [entry["RotationType"] for entry in rotations(kms, key)] == ["ON_DEMAND", "AUTOMATIC"]


def test_on_demand_needs_no_schedule(kms, key):
    rotate(kms, key)
    assert status(kms, key) == {"KeyId": key, "KeyRotationEnabled": False}


def test_25_rotations_on_demand_and_no_more(moving, kms, key):
    pairs = []
    for _ in range(25):
        pairs.append(encrypted(kms, key))
        rotate(kms, key)
    with refused("LimitExceededException", NO_MORE + key):
        kms.rotate_key_on_demand(KeyId=key)
    assert len(rotations(kms, key)) == 25
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    advance(moving, days=91)
    assert len(rotations(kms, key)) == 26
    with refused("LimitExceededException", NO_MORE + key):
        kms.rotate_key_on_demand(KeyId=key)
    assert opens(kms, pairs)


def test_on_demand_conflicts_with_a_schedule_about_to_be_due(moving, kms, key):
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    due = next_date(kms, key)
    advance(moving, seconds=due - now(moving) - 22 * 60)
    rotate(kms, key)
    advance(moving, seconds=3 * 60)
    with refused("ConflictException"):
        kms.rotate_key_on_demand(KeyId=key)
    advance(moving, seconds=20 * 60)
    rotate(kms, key)
    kinds = [entry["RotationType"] for entry in rotations(kms, key)]
    assert kinds == ["ON_DEMAND", "AUTOMATIC", "ON_DEMAND"]


def test_rotations_in_pages(kms, key):
    for _ in range(5):
        rotate(kms, key)
    whole = rotations(kms, key, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    for size in (1, 2, 3, 6):
        pages = kms.get_paginator("list_key_rotations").paginate(
            KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL", PaginationConfig={"PageSize": size}
        )
        assert [entry for page in pages for entry in page["Rotations"]] == whole
    first = kms.list_key_rotations(KeyId=key, Limit=2)
    assert first["Truncated"] is True
    with refused("InvalidMarkerException"):
        kms.list_key_rotations(
            KeyId=key, Marker=first["NextMarker"], IncludeKeyMaterial="ALL_KEY_MATERIAL"
        )
    with refused("InvalidMarkerException"):
        kms.list_key_rotations(KeyId=key, Marker="x")


def test_who_may_not_be_named(kms, key):
    for call in (
        kms.enable_key_rotation,
        kms.disable_key_rotation,
        kms.rotate_key_on_demand,
        kms.get_key_rotation_status,
        kms.list_key_rotations,
    ):
        with refused("InvalidArnException"):
            call(KeyId="alias/some")
        with refused("NotFoundException"):
            call(KeyId="00000000-0000-4000-8000-000000000000")


@pytest.mark.parametrize(
    ("spec", "usage"), [("RSA_2048", "SIGN_VERIFY"), ("HMAC_256", "GENERATE_VERIFY_MAC")]
)
def test_kinds_that_do_not_rotate_say_so_in_any_state(kms, spec, usage):
    key = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["Arn"]
    states = (
        lambda: None,
        lambda: kms.disable_key(KeyId=key),
        lambda: kms.schedule_key_deletion(KeyId=key),
    )
    for enter in states:
        enter()
        for call in (kms.enable_key_rotation, kms.disable_key_rotation, kms.list_key_rotations):
            with refused("UnsupportedOperationException", ""):
                call(KeyId=key)
        assert status(kms, key) == {"KeyId": key, "KeyRotationEnabled": False}


# --- imported material ----------------------------------------------------------------------------


def test_imported_material_rotates_on_demand_alone(moving, kms):
    key = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["Arn"]
    external = f"{key} origin is EXTERNAL which is not valid for this operation."
    with refused("KMSInvalidStateException", f"{key} is pending import."):
        kms.rotate_key_on_demand(KeyId=key)
    for call in (kms.enable_key_rotation, kms.disable_key_rotation):
        with refused("UnsupportedOperationException", external):
            call(KeyId=key)
    first = outside.imported(kms, key, os.urandom(32))["KeyMaterialId"]
    for call in (kms.enable_key_rotation, kms.disable_key_rotation):
        with refused("UnsupportedOperationException", external):
            call(KeyId=key)
    nothing = f"No available key material pending rotation for the key: {key}."
    with refused("KMSInvalidStateException", nothing):
        kms.rotate_key_on_demand(KeyId=key)
    pair = encrypted(kms, key)
    second = outside.imported(kms, key, os.urandom(32), **BEHIND)["KeyMaterialId"]
    assert material(kms, key) == first
    shown = rotations(kms, key, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    assert [(e["KeyMaterialId"], e["KeyMaterialState"]) for e in shown] == [
        (first, "CURRENT"),
        (second, "PENDING_ROTATION"),
    ]
    assert rotations(kms, key) == []
    rotate(kms, key)
    assert material(kms, key) == second
    shown = rotations(kms, key, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    assert [(e["KeyMaterialId"], e["KeyMaterialState"]) for e in shown] == [
        (first, "NON_CURRENT"),
        (second, "CURRENT"),
    ]
    assert [entry["RotationType"] for entry in rotations(kms, key)] == ["ON_DEMAND"]
    assert opens(kms, [pair, encrypted(kms, key)])
    with refused("KMSInvalidStateException", nothing):
        kms.rotate_key_on_demand(KeyId=key)


# --- multi-Region keys ----------------------------------------------------------------------------


def test_replicas_follow_their_primary(moving, kms, kms_abroad):
    primary = kms.create_key(MultiRegion=True)["KeyMetadata"]["Arn"]
    rotate(kms, primary)
    replica = kms.replicate_key(KeyId=primary, ReplicaRegion="eu-west-1")["ReplicaKeyMetadata"][
        "Arn"
    ]
    no = f"{replica} is not a multi-region primary key."
    for call in (
        kms_abroad.enable_key_rotation,
        kms_abroad.disable_key_rotation,
        kms_abroad.rotate_key_on_demand,
    ):
        with refused("UnsupportedOperationException", no):
            call(KeyId=replica)
    kms.enable_key_rotation(KeyId=primary, RotationPeriodInDays=90)
    here, there = status(kms, primary), status(kms_abroad, replica)
    assert (here.pop("KeyId"), there.pop("KeyId")) == (primary, replica)
    assert here == there
    pairs = [encrypted(kms, primary), encrypted(kms_abroad, replica)]
    advance(moving, days=91)
    rotate(kms, primary)
    pairs += [encrypted(kms, primary), encrypted(kms_abroad, replica)]
    assert material(kms, primary) == material(kms_abroad, replica)
    # The replica was made after the first rotation, and shows it all the same.
    assert len(rotations(kms, primary)) == 3
    both = [
        rotations(client, arn, IncludeKeyMaterial="ALL_KEY_MATERIAL")
        for client, arn in ((kms, primary), (kms_abroad, replica))
    ]
    assert both[0] == both[1]
    for client in (kms, kms_abroad):
        assert opens(client, pairs)
    # A disabled replica does not hold the set back.
    kms_abroad.disable_key(KeyId=replica)
    rotate(kms, primary)
    kms_abroad.enable_key(KeyId=replica)
    assert material(kms, primary) == material(kms_abroad, replica)
    assert opens(kms_abroad, [encrypted(kms, primary)])


def test_the_new_primary_keeps_the_schedule(moving, kms, kms_abroad):
    primary = kms.create_key(MultiRegion=True)["KeyMetadata"]["Arn"]
    replica = kms.replicate_key(KeyId=primary, ReplicaRegion="eu-west-1")["ReplicaKeyMetadata"][
        "Arn"
    ]
    kms.enable_key_rotation(KeyId=primary, RotationPeriodInDays=90)
    due, first = next_date(kms, primary), material(kms, primary)
    kms.update_primary_region(KeyId=primary, PrimaryRegion="eu-west-1")
    assert next_date(kms_abroad, replica) == due
    advance(moving, days=91)
    assert material(kms, primary) == material(kms_abroad, replica) != first
    assert len(rotations(kms, primary)) == len(rotations(kms_abroad, replica)) == 1
    rotate(kms_abroad, replica)
    with refused("UnsupportedOperationException", f"{primary} is not a multi-region primary key."):
        kms.rotate_key_on_demand(KeyId=primary)


# --- with a real clock ----------------------------------------------------------------------------


def test_on_demand_is_done_by_itself(server):
    client = server.client()
    key = client.create_key()["KeyMetadata"]["Arn"]
    pair = encrypted(client, key)
    rotate(client, key)
    assert opens(client, [pair])
    client.close()
