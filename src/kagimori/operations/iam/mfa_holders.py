"""The holders of MFA devices: an IAM user, or the account's root user with its own credentials.

The root user names itself by no user name, or, where one is required, by `root`, unless the account
has an IAM user of that name.
"""

from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from kagimori.entities.identity_tables import ACCOUNTS, MFA_DEVICES, USERS
from kagimori.gate.asked import Asked, Request
from kagimori.gate.identities import USER, identity_named
from kagimori.gate.mfa_codes import mfa_device
from kagimori.operations.iam.iam_operation import AboutNamed, On
from kagimori.operations.iam.users import is_root
from kagimori.operations.operation import R, Withheld
from kagimori.ports import Put
from kagimori.rules.entity import changed
from kagimori.rules.identity.account import Account
from kagimori.rules.identity.mfa_device import ROOT_USER, MfaDevice
from kagimori.rules.identity.refusals import NoSuchEntity
from kagimori.rules.identity.user import User

ROOT_NAME: Final = "root"


class HolderAndDevices(On[User | Account]):
    """A holder with the device that is named, if any, and all devices that it holds."""

    device: MfaDevice | None = None
    holding: Sequence[MfaDevice] = ()

    @property
    def holder(self) -> str:
        """The holder as devices have it."""
        return self.entity.folded if isinstance(self.entity, User) else ROOT_USER

    @property
    def name(self) -> str:
        return self.entity.name if isinstance(self.entity, User) else ROOT_NAME

    def kept(self) -> Put:
        """Return the write of the holder itself: it is neither changed nor deleted meanwhile."""
        table = USERS if isinstance(self.entity, User) else ACCOUNTS
        return Put(table, changed(self.entity), self.entity)


class OnHolder(AboutNamed[User, HolderAndDevices, R]):
    """An operation on the devices of one holder, by default the caller's own."""

    kind = USER
    is_self_default = True

    def look_up(self, asked: Asked) -> HolderAndDevices | Withheld:
        if not _means_root(asked):
            return self.found(asked, HolderAndDevices)
        account: Account = asked.view.one(ACCOUNTS, (asked.caller.account_id,))
        return HolderAndDevices((self.need(asked.caller.principal.arn),), entity=account)

    def read(self, asked: Asked, facts: HolderAndDevices) -> HolderAndDevices:
        account_id = asked.caller.account_id
        serial_number = getattr(asked.call.input, "SerialNumber", None)
        device = None
        if serial_number is not None:
            device = mfa_device(asked.view, account_id, serial_number)
        holding = asked.view.group(MFA_DEVICES, "by_holder", (account_id, facts.holder))
        return replace(facts, device=device, holding=holding)


def _means_root(asked: Asked) -> bool:
    """Return whether the root user asks about its own devices."""
    if not is_root(asked):
        return False
    name = asked.call.input.UserName
    if name == ROOT_NAME:
        return identity_named(asked.view, USER, asked.caller.account_id, name) is None
    return name is None


def named_device(asked: Request, facts: HolderAndDevices) -> MfaDevice:
    """Return the device that is named.

    Raises:
        NoSuchEntity: there is none.
    """
    if facts.device is None:
        raise device_not_found(asked.call.input.SerialNumber)
    return facts.device


def held_device(asked: Request, facts: HolderAndDevices) -> MfaDevice:
    """Return the device that is named, if it is enabled for the holder.

    Raises:
        NoSuchEntity: it is not, or there is none.
    """
    device = named_device(asked, facts)
    if device.holder != facts.holder:
        raise NoSuchEntity("MFA Device invalid for user.")
    return device


def device_not_found(serial_number: str) -> NoSuchEntity:
    return NoSuchEntity(f"VirtualMFADevice with serial number {serial_number} doesn't exist.")


def shown_device(device: MfaDevice, user_name: str) -> dict[str, Any]:
    """Return a device as listings show it."""
    return {
        "UserName": user_name,
        "SerialNumber": device.serial_number,
        "EnableDate": device.enabled_at,
    }
