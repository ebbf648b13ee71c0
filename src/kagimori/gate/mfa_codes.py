"""Codes of MFA devices, as those who make sessions need them: whose device, is it right, taken."""

from kagimori.entities.identity_tables import MFA_DEVICES
from kagimori.ports import Put, View
from kagimori.rules.entity import changed
from kagimori.rules.folding import fold
from kagimori.rules.identity.mfa_device import MfaDevice
from kagimori_boundary.commands import OneCode
from kagimori_boundary.replies import TakenCode


def mfa_device(view: View, account_id: str, serial_number: str) -> MfaDevice | None:
    """Return the account's device with this serial number, or None."""
    found: MfaDevice | None = view.one(
        MFA_DEVICES, (account_id, fold(serial_number.rpartition("/")[2]))
    )
    return found if found is not None and found.serial_number == serial_number else None


def one_code(device: MfaDevice, code: str, now: float) -> OneCode:
    """Return the code that the HSM checks before the command it guards (`CreateSession.code`)."""
    return OneCode(
        device.serial_number, device.sealed_seed, code, device.last_step, device.drift, now
    )


def code_taken(device: MfaDevice, taken: TakenCode) -> Put:
    """Return the write that goes with a code that was right: it is not taken again."""
    after = changed(device, last_step=taken.step, drift=taken.drift)
    return Put(MFA_DEVICES, after, device)
