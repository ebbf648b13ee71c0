"""The filter of a search for KMS keys, as far as a key alone decides it."""

from typing import Final

from msgspec import Struct

from kagimori.rules.keys.kms_key import KmsKey

REGIONAL: Final = "REGIONAL"
PRIMARY: Final = "PRIMARY"
REPLICA: Final = "REPLICA"


class KeyFilter(Struct, frozen=True, kw_only=True):
    """The properties that keys must have; None is any. `text` stands in the key's id or ARN."""

    text: str | None = None
    state: str | None = None
    key_spec: str | None = None
    key_usage: str | None = None
    origin: str | None = None
    region_kind: str | None = None
    key_store_id: str | None = None
    tag_key: str | None = None
    tag_value: str | None = None

    @property
    def asks_for_tags(self) -> bool:
        """True if only somebody who may see a key's tags may know whether it fits."""
        return self.tag_key is not None or self.tag_value is not None

    @property
    def is_empty(self) -> bool:
        """True if every key fits."""
        return self == _ANY

    def fits(self, kms_key: KmsKey) -> bool:
        """Return whether a key (seen in its custom key store, if it has one) fits."""
        return (
            self._is(self.state, kms_key.visible_state.value)
            and self._is(self.key_spec, kms_key.key_spec)
            and self._is(self.key_usage, kms_key.key_usage)
            and self._is(self.origin, kms_key.origin)
            and self._is(self.region_kind, region_kind(kms_key))
            and self._is(self.key_store_id, kms_key.custom_key_store_id)
            and (self.text is None or self.text in kms_key.arn)
            and (not self.asks_for_tags or self._fits_tags(kms_key.tags))
        )

    @staticmethod
    def _is(wanted: str | None, value: str | None) -> bool:
        return wanted is None or wanted == value

    def _fits_tags(self, tags: dict[str, str]) -> bool:
        return any(
            self._is(self.tag_key, name) and self._is(self.tag_value, value)
            for name, value in tags.items()
        )


_ANY: Final = KeyFilter()


def region_kind(kms_key: KmsKey) -> str:
    """Return whether a key is of one Region, or the primary or a replica of a multi-Region set."""
    if not kms_key.is_multi_region:
        return REGIONAL
    return REPLICA if kms_key.is_replica else PRIMARY
