"""Quotas of IAM's resources. The names are those of AWS's messages.

DIFFERS(aws): AWS raises many of these on request; here they are what they are.

Source: IAM User Guide, reference_iam-quotas.
"""

from typing import Final

from msgspec import Struct

from kagimori.rules.identity.refusals import LimitExceeded


class Quota(Struct, frozen=True):
    name: str
    most: int

    def check(self, number: int) -> None:
        """Check that one more than `number` is allowed.

        Raises:
            LimitExceeded: it is not.
        """
        if number >= self.most:
            raise LimitExceeded(f"Cannot exceed quota for {self.name}: {self.most}")


USERS: Final = Quota("UsersPerAccount", 5_000)
GROUPS: Final = Quota("GroupsPerAccount", 300)
ROLES: Final = Quota("RolesPerAccount", 1_000)
MANAGED_POLICIES: Final = Quota("PoliciesPerAccount", 1_500)
INSTANCE_PROFILES: Final = Quota("InstanceProfilesPerAccount", 1_000)
OIDC_PROVIDERS: Final = Quota("OpenIdConnectProvidersPerAccount", 100)
CLIENT_IDS: Final = Quota("ClientIdsPerOpenIdConnectProvider", 100)
ACCESS_KEYS: Final = Quota("AccessKeysPerUser", 2)
GROUPS_OF_USER: Final = Quota("GroupsPerUser", 10)
MFA_DEVICES: Final = Quota("MFADevicesPerUser", 8)
VIRTUAL_MFA_DEVICES: Final = Quota("VirtualMFADevicesPerAccount", 40_000)
ROLES_OF_INSTANCE_PROFILE: Final = Quota("InstanceSessionsPerInstanceProfile", 1)
ATTACHED: Final = {
    "user": Quota("PoliciesPerUser", 10),
    "group": Quota("PoliciesPerGroup", 10),
    "role": Quota("PoliciesPerRole", 20),
}
