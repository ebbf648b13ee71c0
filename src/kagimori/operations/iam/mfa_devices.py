"""Virtual MFA devices: made, enabled for a user, resynchronized, taken away.

DIFFERS(aws): the root user has no device.
"""

from typing import Any, Final
from urllib.parse import quote

from kagimori.entities.identity_tables import ACCOUNT_ALIASES, MFA_DEVICES, USERS
from kagimori.gate.asked import Asked, Need
from kagimori.gate.identities import USER
from kagimori.gate.mfa_codes import code_taken, mfa_device
from kagimori.operations.iam.answers import shown_tags, shown_user
from kagimori.operations.iam.iam_operation import Found, OnNamed, Room, page, page_entries, room
from kagimori.operations.iam.tags import ListTags, Tag, Untag
from kagimori.operations.iam.users import is_root
from kagimori.operations.iam_action import IamOperation
from kagimori.operations.operation import Outcome
from kagimori.ports import Delete, Put
from kagimori.rules.entity import changed
from kagimori.rules.identity import quotas
from kagimori.rules.identity.bearer import fold, identity_arn
from kagimori.rules.identity.mfa_device import MfaDevice
from kagimori.rules.identity.qr_code import qr_png
from kagimori.rules.identity.refusals import (
    DeleteConflict,
    EntityAlreadyExists,
    NoSuchEntity,
    ValidationError,
)
from kagimori.rules.identity.tags import read_tags, with_tags
from kagimori_boundary.commands import Command, CreateMfaSeed, TakeCodes
from kagimori_boundary.replies import NewSeed, TakenCode

_SERIAL_NUMBER_CHARACTERS_MAX: Final = 256  # what other operations take


class NewDevice(Found):
    """`entity` is a namesake there already, `account_name` what authenticators show."""

    space: Room | None = None
    tags: Any = None
    account_name: str = ""


class CreateVirtualMFADevice(IamOperation):
    def look_up(self, asked: Asked) -> NewDevice:
        given, account_id = asked.call.input, asked.caller.account_id
        name = given.VirtualMFADeviceName
        arn = identity_arn(asked.partition, account_id, "mfa", given.Path or "/", name)
        tagging = (Need("iam:TagMFADevice", resource=arn),) if given.Tags else ()
        facts = NewDevice((self.need(arn), *tagging))
        facts.entity = asked.view.one(MFA_DEVICES, (account_id, fold(name)))
        aliases = asked.view.group(ACCOUNT_ALIASES, "by_account", (account_id,))
        facts.account_name = aliases[0].alias if aliases else account_id
        facts.space = room(asked, MFA_DEVICES)
        return facts

    def ask(self, asked: Asked, facts: NewDevice) -> Command | None:
        given = asked.call.input
        facts.tags = with_tags({}, read_tags(given.Tags))
        if facts.entity is not None:
            raise EntityAlreadyExists("MFADevice entity at the same path and name already exists.")
        account_id, path = asked.caller.account_id, given.Path or "/"
        serial_number = identity_arn(
            asked.partition, account_id, "mfa", path, given.VirtualMFADeviceName
        )
        if len(serial_number) > _SERIAL_NUMBER_CHARACTERS_MAX:
            raise ValidationError("The serial number of the device would be too long.")
        return CreateMfaSeed(serial_number)

    def finish(self, asked: Asked, facts: NewDevice, reply: NewSeed) -> Outcome:
        given = asked.call.input
        device = MfaDevice(
            partition=asked.partition,
            account_id=asked.caller.account_id,
            name=given.VirtualMFADeviceName,
            path=given.Path or "/",
            created_at=asked.now,
            sealed_seed=reply.sealed_seed,
            tags=facts.tags,
        )
        beside = () if facts.space is None else (facts.space.for_one(quotas.VIRTUAL_MFA_DEVICES),)
        shown: dict[str, Any] = {"SerialNumber": device.serial_number}
        if device.tags:
            shown["Tags"] = shown_tags(device.tags)
        # What AWS's code says, so that authenticators show the same (IAM API, VirtualMFADevice).
        label = quote(f"{device.name}@{facts.account_name}")
        url = f"otpauth://totp/{label}?secret={reply.base32_seed}"
        once = {
            "Base32StringSeed": reply.base32_seed.encode(),
            "QRCodePNG": qr_png(url.encode()),
        }
        return Outcome(
            {"VirtualMFADevice": {**shown, **once}},
            (Put(MFA_DEVICES, device), *beside),
            {"VirtualMFADevice": shown},
        )


class _OnDevice(IamOperation):
    def look_up(self, asked: Asked) -> Found:
        serial_number = asked.call.input.SerialNumber
        device = mfa_device(asked.view, asked.caller.account_id, serial_number)
        return Found((self.need(serial_number, device),), entity=device)

    def ask(self, asked: Asked, facts: Found) -> Command | None:
        if facts.entity is None:
            raise device_not_found(asked.call.input.SerialNumber)
        return None


def device_not_found(serial_number: str) -> NoSuchEntity:
    return NoSuchEntity(f"VirtualMFADevice with serial number {serial_number} doesn't exist.")


class DeleteVirtualMFADevice(_OnDevice):
    def ask(self, asked: Asked, facts: Found) -> Command | None:
        super().ask(asked, facts)
        if facts.entity.holder:
            raise DeleteConflict("MFA VirtualDevice in use. Must deactivate first.")
        return None

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        return Outcome(writes=(Delete(MFA_DEVICES, facts.entity, destroys=True),))


class _OnUsersDevice(OnNamed):
    """`more` are the device and all devices of the user."""

    kind = USER
    is_self_default = True

    def read(self, asked: Asked, entity: Any) -> Any:
        account_id = entity.account_id
        device = mfa_device(asked.view, account_id, asked.call.input.SerialNumber)
        holding = asked.view.group(MFA_DEVICES, "by_holder", (account_id, entity.folded))
        return device, holding

    def check(self, asked: Asked, facts: Found) -> None:
        device = facts.more[0]
        if device is None:
            raise device_not_found(asked.call.input.SerialNumber)
        if device.holder != facts.entity.folded:
            raise NoSuchEntity("MFA Device invalid for user.")


def _two_codes(asked: Asked, device: MfaDevice) -> TakeCodes:
    given = asked.call.input
    return TakeCodes(
        device.serial_number,
        device.sealed_seed,
        given.AuthenticationCode1,
        given.AuthenticationCode2,
        device.last_step,
        asked.now,
    )


class EnableMFADevice(_OnUsersDevice):
    """Two codes in a row show that the user has the device, and how its clock goes."""

    def check(self, asked: Asked, facts: Found) -> None:
        device, holding = facts.more
        if device is None:
            raise device_not_found(asked.call.input.SerialNumber)
        if device.holder:
            raise EntityAlreadyExists("MFA Device is already in use.")
        quotas.MFA_DEVICES.check(len(holding))

    def ask(self, asked: Asked, facts: Found) -> Command | None:
        super().ask(asked, facts)
        return _two_codes(asked, facts.more[0])

    def finish(self, asked: Asked, facts: Found, reply: TakenCode) -> Outcome:
        user, device = facts.entity, facts.more[0]
        after = changed(
            device,
            holder=user.folded,
            enabled_at=asked.now,
            last_step=reply.step,
            drift=reply.drift,
        )
        # The user is written too, so that it is neither deleted nor renamed meanwhile.
        writes = (Put(MFA_DEVICES, after, device), Put(USERS, changed(user), user))
        return Outcome(writes=writes)


class ResyncMFADevice(_OnUsersDevice):
    def ask(self, asked: Asked, facts: Found) -> Command | None:
        super().ask(asked, facts)
        return _two_codes(asked, facts.more[0])

    def finish(self, asked: Asked, facts: Found, reply: TakenCode) -> Outcome:
        return Outcome(writes=(code_taken(facts.more[0], reply),))


class DeactivateMFADevice(_OnUsersDevice):
    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        device = facts.more[0]
        after = changed(device, holder="", enabled_at=None)
        return Outcome(writes=(Put(MFA_DEVICES, after, device),))


class GetMFADevice(_OnUsersDevice):
    """Without a UserName, the caller's own."""

    read_only = True

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        return Outcome(_shown(facts.more[0], facts.entity.name))


def _shown(device: MfaDevice, user_name: str) -> dict[str, Any]:
    return {
        "UserName": user_name,
        "SerialNumber": device.serial_number,
        "EnableDate": device.enabled_at,
    }


class ListMFADevices(OnNamed):
    read_only = True
    kind = USER
    is_self_default = True

    def look_up(self, asked: Asked) -> Found:
        if asked.call.input.UserName is None and is_root(asked):
            return Found((self.need(asked.caller.principal.arn),), more=())
        return super().look_up(asked)

    def ask(self, asked: Asked, facts: Found) -> Command | None:
        return None if facts.more == () and facts.entity is None else super().ask(asked, facts)

    def read(self, asked: Asked, entity: Any) -> Any:
        return asked.view.group(MFA_DEVICES, "by_holder", (entity.account_id, entity.folded))

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        entries = [(one.folded, _shown(one, facts.entity.name)) for one in facts.more]
        return Outcome(page(asked, "MFADevices", entries, asked.call.input.UserName or ""))


class ListVirtualMFADevices(IamOperation):
    read_only = True

    def look_up(self, asked: Asked) -> Found:
        account_id = asked.caller.account_id
        status = asked.call.input.AssignmentStatus or "Any"
        wanted = {"Assigned": (True,), "Unassigned": (False,)}.get(status, (True, False))
        listed = asked.view.group(MFA_DEVICES, "by_account", (account_id,))
        entries = [(one.folded, one) for one in listed if bool(one.holder) in wanted]
        shown, rest = page_entries(asked, entries, status)
        devices = [self._shown(asked, device) for _, device in shown]
        arn = identity_arn(asked.partition, account_id, "mfa", "/", "")
        return Found((self.need(arn),), more={"VirtualMFADevices": devices, **rest})

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        return Outcome(facts.more)

    @staticmethod
    def _shown(asked: Asked, device: MfaDevice) -> dict[str, Any]:
        shown: dict[str, Any] = {"SerialNumber": device.serial_number}
        user = None
        if device.holder:
            user = asked.view.one(USERS, (device.account_id, device.holder))
        if user is not None:
            shown |= {"User": shown_user(user, whole=False), "EnableDate": device.enabled_at}
        return shown


class TagMFADevice(Tag, _OnDevice):
    table = MFA_DEVICES


class UntagMFADevice(Untag, _OnDevice):
    table = MFA_DEVICES


class ListMFADeviceTags(ListTags, _OnDevice):
    pass
