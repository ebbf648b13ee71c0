"""The condition values of one request.

Values are worked out only for the keys that a policy asks about; a key that is in no table is
absent. Source: KMS Developer Guide, "Condition keys for AWS KMS"; IAM User Guide, "AWS global
condition context keys".
"""

from typing import Final

from kagimori.gate.conditions.aws_values import AWS_FAMILIES, AWS_KEYS
from kagimori.gate.conditions.kms_values import KMS_FAMILIES, KMS_KEYS
from kagimori.gate.conditions.values_of_request import ValuesOfRequest
from kagimori.rules.policy.values import Given

KEYS: Final = {**AWS_KEYS, **KMS_KEYS}
FAMILIES: Final = {**AWS_FAMILIES, **KMS_FAMILIES}


class RequestValues(ValuesOfRequest):
    """The values for one need of one request."""

    __slots__ = ()

    def _given(self, key: str) -> Given:
        special = self.need.values.get(key)
        if special is not None:
            return special
        provider = KEYS.get(key)
        if provider is not None:
            return provider(self)
        for prefix, family in FAMILIES.items():
            if key.startswith(prefix):
                return family(self, key[len(prefix) :])
        return None
