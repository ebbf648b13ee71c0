"""A machine that leads keys through whole lives beside the model, with time that moves."""

import os
import uuid

from botocore.exceptions import ClientError
from hypothesis import strategies as st
from hypothesis.stateful import consumes, multiple, rule

import outside
from dev_clock import DAY, advance, date, now
from key_model import (
    ABROAD,
    DISABLED,
    ENABLED,
    GONE,
    HOME,
    INVALID_STATE,
    NOT_PENDING_DELETION,
    PENDING_DELETION,
    PENDING_IMPORT,
    PENDING_REPLICA,
    SECONDS_SLACK,
    UNSUPPORTED,
    UNUSABLE,
    Material,
    Member,
)
from keys_in_use import KeyUses
from serving import eventually


class KeyLives(KeyUses):
    members = KeyUses.members

    @rule(member=members, on=st.booleans())
    def switch(self, member, on):
        expected = UNUSABLE[member.state] if member.state != DISABLED else None
        self.do(member, "enable_key" if on else "disable_key", expected, KeyId=member.arn)
        if expected is None:
            member.state = ENABLED if on else DISABLED
            self.overdue(member.key)

    def overdue(self, key):
        """A rotation that was due while the key was disabled is done at once."""
        if key.primary.state == ENABLED and key.next_at is not None:
            time = now(self.server)
            if key.next_at <= time:
                key.rotate(time)
                self.wait_for_rotations(key)

    def wait_for_rotations(self, key):
        client, arn = self.clients[key.primary.region], key.primary.arn
        eventually(
            lambda: (
                "OnDemandRotationStartDate" not in client.get_key_rotation_status(KeyId=arn)
                and len(client.list_key_rotations(KeyId=arn, Limit=1000)["Rotations"])
                >= key.rotations
            )
        )

    # --- rotation ---------------------------------------------------------------------------------

    def cannot_rotate(self, member, *, by_itself):
        if member.state == GONE:
            return "NotFoundException"
        of_wrong_kind = (
            not member.key.encrypts
            or not member.is_primary
            or (by_itself and member.key.kind == "external")
        )
        if by_itself and of_wrong_kind:
            return UNSUPPORTED
        return UNUSABLE[member.state] or (UNSUPPORTED if of_wrong_kind else None)

    @rule(member=members)
    def rotate(self, member):
        key = member.key
        expected = self.cannot_rotate(member, by_itself=False)
        if expected is None and key.kind == "external" and key.waiting is None:
            expected = INVALID_STATE
        if self.do(member, "rotate_key_on_demand", expected, KeyId=member.arn) is not None:
            key.rotations += 1
            if key.waiting is not None:
                key.waiting.waits = False
            self.wait_for_rotations(key)

    @rule(member=members, period=st.integers(90, 200))
    def schedule_rotation(self, member, period):
        key = member.key
        expected = self.cannot_rotate(member, by_itself=True)
        given = {"KeyId": member.arn, "RotationPeriodInDays": period}
        if self.do(member, "enable_key_rotation", expected, **given) is None:
            return
        time = now(self.server)
        wanted = time if key.next_at is None else key.next_at - key.period * DAY
        wanted += period * DAY
        if wanted <= time:
            wanted = time + period * DAY
        status = self.clients[member.region].get_key_rotation_status(KeyId=member.arn)
        key.period, key.next_at = period, status["NextRotationDate"].timestamp()
        assert abs(key.next_at - wanted) < SECONDS_SLACK

    @rule(member=members)
    def stop_rotation(self, member):
        expected = self.cannot_rotate(member, by_itself=True)
        if self.do(member, "disable_key_rotation", expected, KeyId=member.arn) is not None:
            member.key.period = member.key.next_at = None

    # --- imported material ------------------------------------------------------------------------

    @rule(
        member=members,
        days=st.one_of(st.none(), st.integers(1, 300)),
        same=st.integers(0, 3),
        new=st.booleans(),
    )
    def import_material(self, member, days, same, new):
        key = member.key
        if key.kind != "external" or member.state in (GONE, PENDING_DELETION):
            return
        expected, waiting = None, key.waiting
        if key.materials and not new:
            known = key.materials[same % len(key.materials)]
            content, kind = known.content, "EXISTING_KEY_MATERIAL"
        else:
            known, content, kind = None, os.urandom(32), "NEW_KEY_MATERIAL"
            expected = INVALID_STATE if waiting is not None else None
        valid_to = None if days is None else now(self.server) + days * DAY
        model = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
        if valid_to is not None:
            model = {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": date(valid_to)}
        try:
            outside.imported(self.clients[HOME], key.arn, content, ImportType=kind, **model)
        except ClientError as problem:
            assert problem.response["Error"]["Code"] == expected, problem
            return
        assert expected is None
        if known is None:
            key.materials.append(Material(content, valid_to, waits=bool(key.materials)))
        else:
            known.present, known.valid_to = True, valid_to
        key.settle()

    @rule(member=members, number=st.integers(0, 3))
    def delete_material(self, member, number):
        key = member.key
        if key.kind != "external" or not key.materials or member.state == GONE:
            return
        shown = self.clients[HOME].list_key_rotations(
            KeyId=key.arn, IncludeKeyMaterial="ALL_KEY_MATERIAL"
        )
        number %= len(key.materials)
        chosen = key.materials[number]
        material_id = shown["Rotations"][number]["KeyMaterialId"]
        self.do(
            member, "delete_imported_key_material", None, KeyId=key.arn, KeyMaterialId=material_id
        )
        self.lose(key, chosen)

    def lose(self, key, material):
        if material.waits:
            key.materials.remove(material)
        else:
            material.present, material.valid_to = False, None
        key.settle()

    # --- the end ----------------------------------------------------------------------------------

    @rule(member=members, days=st.integers(7, 30))
    def schedule_deletion(self, member, days):
        given = {"KeyId": member.arn, "PendingWindowInDays": days}
        expected = NOT_PENDING_DELETION[member.state]
        answer = self.do(member, "schedule_key_deletion", expected, **given)
        if answer is None:
            return
        waits = member.is_primary and bool(member.key.replicas)
        member.state, member.window_days = PENDING_REPLICA if waits else PENDING_DELETION, days
        assert answer["KeyState"] == member.state
        member.deletion_at = None if waits else answer["DeletionDate"].timestamp()

    @rule(member=members)
    def cancel_deletion(self, member):
        expected = INVALID_STATE
        if member.state in (PENDING_DELETION, PENDING_REPLICA, GONE):
            expected = "NotFoundException" if member.state == GONE else None
        if self.do(member, "cancel_key_deletion", expected, KeyId=member.arn) is not None:
            member.state = DISABLED if member.key.is_whole else PENDING_IMPORT
            member.deletion_at = member.window_days = None

    # --- aliases and Regions ----------------------------------------------------------------------

    @rule(member=members)
    def create_alias(self, member):
        name = f"alias/lives/{uuid.uuid4()}"
        given = {"AliasName": name, "TargetKeyId": member.arn}
        if self.do(member, "create_alias", NOT_PENDING_DELETION[member.state], **given) is not None:
            member.aliases.add(name)

    @rule(member=members)
    def delete_alias(self, member):
        if member.aliases and member.state != GONE:
            self.do(member, "delete_alias", None, AliasName=member.aliases.pop())

    @rule(target=members, member=members)
    def replicate(self, member):
        key = member.key
        if member.state == GONE:
            expected = "NotFoundException"
        elif key.kind != "multi" or not member.is_primary:
            expected = UNUSABLE[member.state] or UNSUPPORTED  # the state comes first
        else:
            expected = UNUSABLE[member.state] or (
                "AlreadyExistsException" if key.replicas else None
            )
        region = ABROAD if member.region == HOME else HOME
        given = {"KeyId": member.arn, "ReplicaRegion": region}
        if self.do(member, "replicate_key", expected, **given) is None:
            return multiple()
        replica = Member(key, region, ENABLED)
        key.members = [member, replica]
        return replica

    @rule(member=members)
    def promote(self, member):
        key = member.key
        if member.state == GONE:
            expected = "NotFoundException"
        elif key.kind != "multi" or not member.is_primary:
            expected = UNUSABLE[member.state] or UNSUPPORTED  # the state comes first
        elif not key.replicas:
            expected = UNUSABLE[member.state] or "NotFoundException"
        else:
            expected = UNUSABLE[member.state] or UNUSABLE[key.replicas[0].state]
        region = ABROAD if member.region == HOME else HOME
        given = {"KeyId": member.arn, "PrimaryRegion": region}
        if self.do(member, "update_primary_region", expected, **given) is not None:
            (key.primary,) = key.replicas

    # --- time -------------------------------------------------------------------------------------

    @rule(days=st.one_of(st.integers(1, 10), st.integers(1, 120)))
    def advance(self, days):
        time = advance(self.server, days=days)
        for key in self.keys:
            self.age(key, time)

    def age(self, key, time):
        for member in key.members:
            if member.state == PENDING_DELETION and member.deletion_at <= time:
                member.state = GONE
                if not member.is_primary and key.primary.state == PENDING_REPLICA:
                    # The clock of the last one starts when the server has seen the others go.
                    key.primary.state = PENDING_DELETION
                    key.primary.deletion_at = time + key.primary.window_days * DAY
        if key.primary.state == GONE:
            return
        for material in list(key.materials):
            if material.valid_to is not None and material.valid_to <= time:
                self.lose(key, material)
        if key.primary.state == ENABLED and key.next_at is not None and key.next_at <= time:
            key.rotate(time)

    # --- looking ----------------------------------------------------------------------------------

    @rule(member=members)
    def look(self, member):
        self.check(member)

    @rule(member=consumes(members))
    def look_for_the_last_time(self, member):
        self.check(member)

    def check(self, member):
        client, key = self.clients[member.region], member.key
        if member.state == GONE:
            self.do(member, "describe_key", "NotFoundException", KeyId=member.arn)
            for name in member.aliases:
                self.do(member, "describe_key", "NotFoundException", KeyId=name)
            for _, blob in key.ciphertexts[:3]:
                self.do(member, "decrypt", "AccessDeniedException", CiphertextBlob=blob)
            return
        found = client.describe_key(KeyId=member.arn)["KeyMetadata"]
        assert (found["KeyState"], found["Enabled"]) == (member.state, member.state == ENABLED)
        assert (found.get("DeletionDate") is not None) == (member.state == PENDING_DELETION)
        if member.deletion_at is not None:
            assert abs(found["DeletionDate"].timestamp() - member.deletion_at) < SECONDS_SLACK
        self.check_imported(key, found)
        if key.encrypts:
            self.check_rotation(client, member)
        found = client.list_grants(KeyId=member.arn, Limit=100)["Grants"]
        assert {grant["GrantId"] for grant in found} == member.grants
        listed = {
            a["AliasName"] for a in client.list_aliases(KeyId=member.arn, Limit=100)["Aliases"]
        }
        assert listed == member.aliases
        if member.state == ENABLED:
            for text, blob in key.ciphertexts:
                assert client.decrypt(CiphertextBlob=blob)["Plaintext"] == text
            for message, proof in key.proofs:
                assert self.proves(client, member, message, proof)

    @staticmethod
    def check_imported(key, found):
        if key.kind != "external" or not key.is_whole:
            assert "ExpirationModel" not in found
            return
        times = [m.valid_to for m in key.materials if not m.waits and m.valid_to is not None]
        assert ("ValidTo" in found) == bool(times)
        if times:
            assert abs(found["ValidTo"].timestamp() - min(times)) < 1

    @staticmethod
    def check_rotation(client, member):
        key = member.key
        status = client.get_key_rotation_status(KeyId=member.arn)
        waits = member.state in (PENDING_DELETION, PENDING_REPLICA)
        assert status["KeyRotationEnabled"] == (key.period is not None and not waits)
        if status["KeyRotationEnabled"]:
            assert status["RotationPeriodInDays"] == key.period
            assert abs(status["NextRotationDate"].timestamp() - key.next_at) < 1
        shown = client.list_key_rotations(KeyId=member.arn, Limit=1000)["Rotations"]
        assert len(shown) == key.rotations
        if key.kind == "external":
            whole = client.list_key_rotations(
                KeyId=member.arn, IncludeKeyMaterial="ALL_KEY_MATERIAL"
            )
            states = [entry["ImportState"] == "IMPORTED" for entry in whole["Rotations"]]
            assert states == [material.present for material in key.materials]

    def teardown(self):
        for key in self.keys:
            for member in key.members:
                self.check(member)
