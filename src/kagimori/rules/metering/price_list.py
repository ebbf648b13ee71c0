"""A price list of AWS KMS: what a version of a key costs a month, and what requests cost.

The lists are data with their sources (`kagimori/trail/price_lists/`).
"""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct


class RequestPrice(Struct, frozen=True, forbid_unknown_fields=True):
    """The price of 10,000 requests of a class; other prices by how a region's name begins."""

    per_10000: Decimal
    is_in_free_tier: bool = False
    regions: Mapping[str, Decimal] = {}

    def price_in(self, region: str) -> Decimal:
        for beginning, price in self.regions.items():
            if region.startswith(beginning):
                return price
        return self.per_10000


class PriceList(Struct, frozen=True, forbid_unknown_fields=True):
    """Prices as AWS had them at a time. Classes of requests without a price have `standard`'s.

    `rotations_charged_max` is how many rotations of a key are charged beside its first version;
    None is all of them.
    """

    name: str
    title: str
    currency: str
    sources: tuple[str, ...]
    key_version_month: Decimal
    free_requests_month: int
    requests: Mapping[str, RequestPrice]
    rotations_charged_max: int | None = None

    def charged_hours(self, version_hours: list[int]) -> int:
        """Return the hours that are charged of a key whose versions were there so many hours."""
        most = self.rotations_charged_max
        return sum(version_hours if most is None else version_hours[: 1 + most])
