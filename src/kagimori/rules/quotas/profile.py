"""A profile: which groups there are in a region, and what each request counts in which of them."""

from collections.abc import Mapping
from typing import Final, Protocol

from kagimori.rules.quotas import aws_groups, open_groups
from kagimori.rules.quotas.group import Charge, Group

OPEN: Final = "open"
AWS: Final = "aws"
OFF: Final = "off"
PROFILES: Final = (OPEN, AWS, OFF)

# The operations that are counted by the spec of the key, or of the keys.
_CRYPTOGRAPHIC: Final = frozenset(
    {
        "Decapsulate", "Decrypt", "DeriveSharedSecret", "Encapsulate", "Encrypt", "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext", "GenerateMac", "GenerateRandom", "ReEncrypt", "Sign",
        "Verify", "VerifyMac",
    }
)  # fmt: skip
_PAIRS: Final = frozenset({"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"})
# The member in which a request names the spec of the key that is to be made.
SPEC_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "CreateKey": ("KeySpec", "CustomerMasterKeySpec"),
    "GenerateDataKeyPair": ("KeyPairSpec",),
    "GenerateDataKeyPairWithoutPlaintext": ("KeyPairSpec",),
}
# Of these AWS publishes no numbers, or there are none.
_WITHOUT_NUMBERS: Final = ("iam", "kagimori")
_OTHER_GROUPS: Final = (open_groups.READS, open_groups.CHANGES, open_groups.SEARCHES)
_PAIR_DEFAULT: Final = "RSA_2048"


class Asking(Protocol):
    """A request as it is known when it is counted."""

    @property
    def service(self) -> str:
        """Return the service that is asked."""

    @property
    def name(self) -> str:
        """Return the operation's name."""

    @property
    def read_only(self) -> bool:
        """Return whether the operation changes nothing."""


class Profile(Protocol):
    """The quotas of a region, before anybody has set other numbers."""

    @property
    def groups(self) -> Mapping[str, Group]:
        """Return the groups by key."""

    def charges(self, asking: Asking, key_spec: str) -> tuple[Charge, ...]:
        """Return the charges of a request with a key of this spec (or none).

        Of a simulation, the spec is its size.
        """

    def store_charge(self, asking: Asking) -> Charge | None:
        """Return the charge of a request against the custom key store that holds its key."""


class AwsProfile:
    """The groups and numbers that AWS has in a region: each request counts as one."""

    def __init__(self, region: str) -> None:
        others = open_groups.open_groups()
        self.groups: dict[str, Group] = {
            **aws_groups.kms_groups(region),
            **aws_groups.other_groups(),
            **{key: others[key] for key in _OTHER_GROUPS},
        }

    def charges(self, asking: Asking, key_spec: str) -> tuple[Charge, ...]:
        """Return the charge of a request."""
        searched = open_groups.searched_cost(asking.service, asking.name, key_spec)
        if searched is not None and asking.service in _WITHOUT_NUMBERS:
            return (Charge(self.groups[open_groups.SEARCHES], searched),)
        group = self.groups.get(self._key(asking, key_spec))
        if group is None:
            group = self.groups[open_groups.READS if asking.read_only else open_groups.CHANGES]
        return (Charge(group),)

    def store_charge(self, asking: Asking) -> Charge | None:
        """Return the charge of a request against the custom key store that holds its key."""
        uses_key = asking.name in _CRYPTOGRAPHIC or asking.name in _PAIRS
        return Charge(self.groups[aws_groups.KEY_STORE]) if uses_key else None

    def _key(self, asking: Asking, key_spec: str) -> str:
        if asking.service == "sts":
            return aws_groups.STS
        name = asking.name
        if asking.service == "kms":
            if name in _CRYPTOGRAPHIC:
                return aws_groups.cryptographic_group(key_spec)
            if name in _PAIRS:
                return aws_groups.pairs_group(key_spec or _PAIR_DEFAULT)
            return name
        is_look_up = asking.service == "cloudtrail" and name == aws_groups.LOOK_UP_EVENTS
        return name if is_look_up else ""


class OpenProfile:
    """Generous numbers that protect the machine: dear requests count what they cost."""

    def __init__(self) -> None:
        self.groups: Mapping[str, Group] = open_groups.open_groups()

    def charges(self, asking: Asking, key_spec: str) -> tuple[Charge, ...]:
        """Return the charges of a request; making a key pair is work and a change."""
        groups, service, name = self.groups, asking.service, asking.name
        searched = open_groups.searched_cost(service, name, key_spec)
        if searched is not None:
            return (Charge(groups[open_groups.SEARCHES], searched),)
        found: tuple[Charge, ...] = ()
        if service == "kms":
            if name in _PAIRS:
                cost = open_groups.generated_cost(key_spec or _PAIR_DEFAULT)
                return (Charge(groups[open_groups.WORK], cost),)
            if name in _CRYPTOGRAPHIC:
                if open_groups.is_asymmetric(key_spec):
                    cost = open_groups.used_cost(name, key_spec)
                    return (Charge(groups[open_groups.WORK], cost),)
                return (Charge(groups[aws_groups.SYMMETRIC]),)
            if name == "CreateKey" and open_groups.is_asymmetric(key_spec):
                cost = open_groups.generated_cost(key_spec)
                found = (Charge(groups[open_groups.WORK], cost),)
        key = open_groups.READS if asking.read_only else open_groups.CHANGES
        return (*found, Charge(groups[key]))

    def store_charge(self, asking: Asking) -> Charge | None:
        """Return None: a store is bounded by its own limits of what it is asked at once."""
        return None


def profile_named(name: str, region: str) -> Profile:
    """Return the profile `aws` or `open` for a region."""
    return AwsProfile(region) if name == AWS else OpenProfile()


def group_keys(name: str) -> frozenset[str]:
    """Return the keys of all groups that a profile has anywhere."""
    return frozenset() if name == OFF else frozenset(profile_named(name, "").groups)
