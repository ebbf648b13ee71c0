"""Virtual MFA devices: made, enabled for a holder, resynchronized, taken away."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from msgspec.structs import replace

from kagimori.entities.identity_tables import ACCOUNT_ALIASES, ACCOUNTS, MFA_DEVICES, USERS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.mfa_codes import code_taken, mfa_device
from kagimori.operations.iam.answers import shown_root, shown_tags, shown_user
from kagimori.operations.iam.iam_operation import Answered, On, page, read_page
from kagimori.operations.iam.making import New, count_of, new_tags, one_more
from kagimori.operations.iam.mfa_holders import (
    HolderAndDevices,
    OnHolder,
    device_not_found,
    held_device,
    named_device,
    shown_device,
)
from kagimori.operations.iam.tags import ListTags, Tag, Untag
from kagimori.operations.iam_action import IamOperation
from kagimori.operations.operation import Outcome, R, Withheld
from kagimori.ports import Delete, Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.folding import fold
from kagimori.rules.identity import quotas
from kagimori.rules.identity.account import Account, AccountAlias
from kagimori.rules.identity.bearer import identity_arn
from kagimori.rules.identity.mfa_device import ROOT_USER, MfaDevice
from kagimori.rules.identity.qr_code import qr_png
from kagimori.rules.identity.refusals import (
    DeleteConflict,
    EntityAlreadyExists,
    ValidationError,
)
from kagimori.rules.identity.user import User
from kagimori.rules.names import root_arn
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


class DeleteVirtualMFADevice(_OnDevice):
    def ask(self, asked: Request, allowed: Allowed, facts: On[MfaDevice]) -> Command | None:
        if facts.entity.holder:
            raise DeleteConflict("MFA VirtualDevice in use. Must deactivate first.")
        return None

    def finish(self, asked: Request, facts: On[MfaDevice], reply: None) -> Outcome:
        return Outcome(writes=(Delete(MFA_DEVICES, facts.entity, destroys=True),))


class _OnHeldDevice(OnHolder[R]):
    def ask(self, asked: Request, allowed: Allowed, facts: HolderAndDevices) -> Command | None:
        held_device(asked, facts)
        return None


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


class EnableMFADevice(_OnHeldDevice[TakenCode]):
    """Two codes in a row show that the user has the device, and how its clock goes."""

    def ask(self, asked: Request, allowed: Allowed, facts: HolderAndDevices) -> Command | None:
        device = named_device(asked, facts)
        if device.holder:
            raise EntityAlreadyExists("MFA Device is already in use.")
        quotas.MFA_DEVICES.check(len(facts.holding))
        return _two_codes(asked, device)

    def finish(self, asked: Request, facts: HolderAndDevices, reply: TakenCode) -> Outcome:
        device = named_device(asked, facts)
        after = changed(
            device,
            holder=facts.holder,
            enabled_at=asked.now,
            last_step=reply.step,
            drift=reply.drift,
        )
        return Outcome(writes=(Put(MFA_DEVICES, after, device), facts.kept()))


class ResyncMFADevice(_OnHeldDevice[TakenCode]):
    def ask(self, asked: Request, allowed: Allowed, facts: HolderAndDevices) -> Command | None:
        return _two_codes(asked, held_device(asked, facts))

    def finish(self, asked: Request, facts: HolderAndDevices, reply: TakenCode) -> Outcome:
        return Outcome(writes=(code_taken(held_device(asked, facts), reply),))


class DeactivateMFADevice(_OnHeldDevice[None]):
    def finish(self, asked: Request, facts: HolderAndDevices, reply: None) -> Outcome:
        device = held_device(asked, facts)
        after = changed(device, holder="", enabled_at=None)
        return Outcome(writes=(Put(MFA_DEVICES, after, device),))


class GetMFADevice(_OnHeldDevice[None]):
    """Without a UserName, the caller's own."""

    read_only = True

    def finish(self, asked: Request, facts: HolderAndDevices, reply: None) -> Outcome:
        return Outcome(shown_device(held_device(asked, facts), facts.name))


class ListMFADevices(OnHolder[None]):
    read_only = True

    def finish(self, asked: Request, facts: HolderAndDevices, reply: None) -> Outcome:
        entries = [(one.folded, shown_device(one, facts.name)) for one in facts.holding]
        return Outcome(page(asked, "MFADevices", entries, asked.call.input.UserName or ""))


class ListVirtualMFADevices(IamOperation[Answered, None]):
    read_only = True

    def look_up(self, asked: Asked) -> Answered:
        arn = identity_arn(asked.partition, asked.caller.account_id, "mfa", "/", "")
        return Answered((self.need(arn),))

    def read(self, asked: Asked, facts: Answered) -> Answered:
        status = asked.call.input.AssignmentStatus or "Any"
        held = {"Assigned": True, "Unassigned": False}.get(status)
        shown, rest = read_page(
            asked,
            MFA_DEVICES,
            (asked.caller.account_id,),
            status,
            wanted=None if held is None else lambda one: bool(one.holder) is held,
        )
        devices = [self._shown(asked, device) for device in shown]
        return Answered(facts.needs, answer={"VirtualMFADevices": devices, **rest})

    def finish(self, asked: Request, facts: Answered, reply: None) -> Outcome:
        return Outcome(facts.answer)

    @staticmethod
    def _shown(asked: Asked, device: MfaDevice) -> dict[str, Any]:
        shown: dict[str, Any] = {"SerialNumber": device.serial_number}
        if device.holder == ROOT_USER:
            account: Account = asked.view.one(ACCOUNTS, (device.account_id,))
            root = shown_root(account, root_arn(device.account_id, device.partition))
            shown |= {"User": root, "EnableDate": device.enabled_at}
        elif device.holder:
            user: User = asked.view.one(USERS, (device.account_id, device.holder))
            shown |= {"User": shown_user(user, whole=False), "EnableDate": device.enabled_at}
        return shown


class TagMFADevice(Tag[MfaDevice], _OnDevice):
    table = MFA_DEVICES


class UntagMFADevice(Untag[MfaDevice], _OnDevice):
    table = MFA_DEVICES


class ListMFADeviceTags(ListTags[MfaDevice], _OnDevice):
    pass
