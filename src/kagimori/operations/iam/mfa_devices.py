"""Virtual MFA devices: made, enabled for a user, resynchronized, taken away.

DIFFERS(aws): the root user has no device.
"""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from msgspec.structs import replace

from kagimori.entities.identity_tables import ACCOUNT_ALIASES, MFA_DEVICES, USERS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.identities import USER
from kagimori.gate.mfa_codes import code_taken, mfa_device
from kagimori.operations.iam.answers import shown_tags, shown_user
from kagimori.operations.iam.iam_operation import AboutNamed, Answered, On, page, page_entries
from kagimori.operations.iam.making import New, count_of, new_tags, one_more
from kagimori.operations.iam.tags import ListTags, Tag, Untag
from kagimori.operations.iam.users import is_root
from kagimori.operations.iam_action import IamOperation
from kagimori.operations.operation import Outcome, R, Withheld
from kagimori.ports import Delete, Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.folding import fold
from kagimori.rules.identity import quotas
from kagimori.rules.identity.account import AccountAlias
from kagimori.rules.identity.bearer import identity_arn
from kagimori.rules.identity.mfa_device import MfaDevice
from kagimori.rules.identity.qr_code import qr_png
from kagimori.rules.identity.refusals import (
    DeleteConflict,
    EntityAlreadyExists,
    NoSuchEntity,
    ValidationError,
)
from kagimori.rules.identity.user import User
from kagimori_boundary.commands import Command, CreateMfaSeed, TakeCodes
from kagimori_boundary.replies import NewSeed, TakenCode

_SERIAL_NUMBER_CHARACTERS_MAX: Final = 256  # what other operations take


class NewDevice(New):
    """`account_name` is what authenticators show."""

    account_name: str = ""


class CreateVirtualMFADevice(IamOperation[NewDevice, NewSeed]):
    def look_up(self, asked: Asked) -> NewDevice:
        given, account_id = asked.call.input, asked.caller.account_id
        path, name = given.Path or "/", given.VirtualMFADeviceName
        arn = identity_arn(asked.partition, account_id, "mfa", path, name)
        tagging = (Need("iam:TagMFADevice", resource=arn),) if given.Tags else ()
        return NewDevice((self.need(arn), *tagging))

    def read(self, asked: Asked, facts: NewDevice) -> NewDevice:
        account_id = asked.caller.account_id
        key = (account_id, fold(asked.call.input.VirtualMFADeviceName))
        aliases: Sequence[AccountAlias] = asked.view.group(
            ACCOUNT_ALIASES, "by_account", (account_id,)
        )
        return replace(
            facts,
            tags=new_tags(asked),
            is_taken=asked.view.one(MFA_DEVICES, key) is not None,
            account_name=aliases[0].alias if aliases else account_id,
            count=count_of(asked, MFA_DEVICES),
        )

    def ask(self, asked: Request, allowed: Allowed, facts: NewDevice) -> Command | None:
        given = asked.call.input
        if facts.is_taken:
            raise EntityAlreadyExists("MFADevice entity at the same path and name already exists.")
        path, name = given.Path or "/", given.VirtualMFADeviceName
        account_id = asked.caller.account_id
        serial_number = identity_arn(asked.partition, account_id, "mfa", path, name)
        if len(serial_number) > _SERIAL_NUMBER_CHARACTERS_MAX:
            raise ValidationError("The serial number of the device would be too long.")
        return CreateMfaSeed(serial_number)

    def finish(self, asked: Request, facts: NewDevice, reply: NewSeed) -> Outcome:
        given = asked.call.input
        device = MfaDevice(
            partition=asked.partition,
            account_id=asked.caller.account_id,
            name=given.VirtualMFADeviceName,
            path=given.Path or "/",
            created_at=asked.now,
            sealed_seed=reply.sealed_seed,
            tags=dict(facts.tags),
        )
        beside = one_more(
            asked.caller.account_id, MFA_DEVICES, facts.count, quotas.VIRTUAL_MFA_DEVICES
        )
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
            (Put(MFA_DEVICES, device), beside),
            {"VirtualMFADevice": shown},
        )


class _OnDevice(IamOperation[On[MfaDevice], None]):
    def look_up(self, asked: Asked) -> On[MfaDevice] | Withheld:
        serial_number = asked.call.input.SerialNumber
        device = mfa_device(asked.view, asked.caller.account_id, serial_number)
        need = self.need(serial_number, device)
        if device is None:
            return Withheld((need,), refusal=device_not_found(serial_number))
        return On((need,), entity=device)


def device_not_found(serial_number: str) -> NoSuchEntity:
    return NoSuchEntity(f"VirtualMFADevice with serial number {serial_number} doesn't exist.")


class DeleteVirtualMFADevice(_OnDevice):
    def ask(self, asked: Request, allowed: Allowed, facts: On[MfaDevice]) -> Command | None:
        if facts.entity.holder:
            raise DeleteConflict("MFA VirtualDevice in use. Must deactivate first.")
        return None

    def finish(self, asked: Request, facts: On[MfaDevice], reply: None) -> Outcome:
        return Outcome(writes=(Delete(MFA_DEVICES, facts.entity, destroys=True),))


class UserAndDevice(On[User]):
    """The device that is named, and all devices of the user."""

    device: MfaDevice | None = None
    holding: Sequence[MfaDevice] = ()


class _OnUsersDevice(AboutNamed[User, UserAndDevice, R]):
    kind = USER
    is_self_default = True

    def look_up(self, asked: Asked) -> UserAndDevice | Withheld:
        return self.found(asked, UserAndDevice)

    def read(self, asked: Asked, facts: UserAndDevice) -> UserAndDevice:
        user = facts.entity
        return replace(
            facts,
            device=mfa_device(asked.view, user.account_id, asked.call.input.SerialNumber),
            holding=asked.view.group(MFA_DEVICES, "by_holder", (user.account_id, user.folded)),
        )

    def ask(self, asked: Request, allowed: Allowed, facts: UserAndDevice) -> Command | None:
        _enabled(asked, facts)
        return None


def _there(asked: Request, facts: UserAndDevice) -> MfaDevice:
    """Return the device that is named.

    Raises:
        NoSuchEntity: there is none.
    """
    if facts.device is None:
        raise device_not_found(asked.call.input.SerialNumber)
    return facts.device


def _enabled(asked: Request, facts: UserAndDevice) -> MfaDevice:
    """Return the device that is named, if it is enabled for the user.

    Raises:
        NoSuchEntity: it is not, or there is none.
    """
    device = _there(asked, facts)
    if device.holder != facts.entity.folded:
        raise NoSuchEntity("MFA Device invalid for user.")
    return device


def _two_codes(asked: Request, device: MfaDevice) -> TakeCodes:
    given = asked.call.input
    return TakeCodes(
        device.serial_number,
        device.sealed_seed,
        given.AuthenticationCode1,
        given.AuthenticationCode2,
        device.last_step,
        asked.now,
    )


class EnableMFADevice(_OnUsersDevice[TakenCode]):
    """Two codes in a row show that the user has the device, and how its clock goes."""

    def ask(self, asked: Request, allowed: Allowed, facts: UserAndDevice) -> Command | None:
        device = _there(asked, facts)
        if device.holder:
            raise EntityAlreadyExists("MFA Device is already in use.")
        quotas.MFA_DEVICES.check(len(facts.holding))
        return _two_codes(asked, device)

    def finish(self, asked: Request, facts: UserAndDevice, reply: TakenCode) -> Outcome:
        user, device = facts.entity, _there(asked, facts)
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


class ResyncMFADevice(_OnUsersDevice[TakenCode]):
    def ask(self, asked: Request, allowed: Allowed, facts: UserAndDevice) -> Command | None:
        return _two_codes(asked, _enabled(asked, facts))

    def finish(self, asked: Request, facts: UserAndDevice, reply: TakenCode) -> Outcome:
        return Outcome(writes=(code_taken(_enabled(asked, facts), reply),))


class DeactivateMFADevice(_OnUsersDevice[None]):
    def finish(self, asked: Request, facts: UserAndDevice, reply: None) -> Outcome:
        device = _enabled(asked, facts)
        after = changed(device, holder="", enabled_at=None)
        return Outcome(writes=(Put(MFA_DEVICES, after, device),))


class GetMFADevice(_OnUsersDevice[None]):
    """Without a UserName, the caller's own."""

    read_only = True

    def finish(self, asked: Request, facts: UserAndDevice, reply: None) -> Outcome:
        return Outcome(_shown(_enabled(asked, facts), facts.entity.name))


def _shown(device: MfaDevice, user_name: str) -> dict[str, Any]:
    return {
        "UserName": user_name,
        "SerialNumber": device.serial_number,
        "EnableDate": device.enabled_at,
    }


class WithDevices(On[User | None]):
    """The devices of a user; the root user has none."""

    devices: Sequence[MfaDevice] = ()


class ListMFADevices(AboutNamed[User, WithDevices, None]):
    read_only = True
    kind = USER
    is_self_default = True

    def look_up(self, asked: Asked) -> WithDevices | Withheld:
        if asked.call.input.UserName is None and is_root(asked):
            return WithDevices((self.need(asked.caller.principal.arn),), entity=None)
        return self.found(asked, WithDevices)

    def read(self, asked: Asked, facts: WithDevices) -> WithDevices:
        user = facts.entity
        if user is None:
            return facts
        holder = (user.account_id, user.folded)
        return replace(facts, devices=asked.view.group(MFA_DEVICES, "by_holder", holder))

    def finish(self, asked: Request, facts: WithDevices, reply: None) -> Outcome:
        name = facts.entity.name if facts.entity is not None else ""
        entries = [(one.folded, _shown(one, name)) for one in facts.devices]
        return Outcome(page(asked, "MFADevices", entries, asked.call.input.UserName or ""))


class ListVirtualMFADevices(IamOperation[Answered, None]):
    read_only = True

    def look_up(self, asked: Asked) -> Answered:
        arn = identity_arn(asked.partition, asked.caller.account_id, "mfa", "/", "")
        return Answered((self.need(arn),))

    def read(self, asked: Asked, facts: Answered) -> Answered:
        status = asked.call.input.AssignmentStatus or "Any"
        wanted = {"Assigned": (True,), "Unassigned": (False,)}.get(status, (True, False))
        listed: Sequence[MfaDevice] = asked.view.group(
            MFA_DEVICES, "by_account", (asked.caller.account_id,)
        )
        entries = [(one.folded, one) for one in listed if bool(one.holder) in wanted]
        shown, rest = page_entries(asked, entries, status)
        devices = [self._shown(asked, device) for _, device in shown]
        return Answered(facts.needs, answer={"VirtualMFADevices": devices, **rest})

    def finish(self, asked: Request, facts: Answered, reply: None) -> Outcome:
        return Outcome(facts.answer)

    @staticmethod
    def _shown(asked: Asked, device: MfaDevice) -> dict[str, Any]:
        shown: dict[str, Any] = {"SerialNumber": device.serial_number}
        user = None
        if device.holder:
            user = asked.view.one(USERS, (device.account_id, device.holder))
        if user is not None:
            shown |= {"User": shown_user(user, whole=False), "EnableDate": device.enabled_at}
        return shown


class TagMFADevice(Tag[MfaDevice], _OnDevice):
    table = MFA_DEVICES


class UntagMFADevice(Untag[MfaDevice], _OnDevice):
    table = MFA_DEVICES


class ListMFADeviceTags(ListTags[MfaDevice], _OnDevice):
    pass
