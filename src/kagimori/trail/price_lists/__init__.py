"""The price lists of AWS KMS that come with the package, as data with their sources."""

from functools import cache
from importlib.resources import files

import msgspec

from kagimori.rules.metering.price_list import PriceList

NAMES = ("current", "2018-11")


@cache
def price_lists() -> tuple[PriceList, ...]:
    """Return all price lists, the current one first."""
    return tuple(_read(name) for name in NAMES)


def _read(name: str) -> PriceList:
    content = files(__package__).joinpath(f"{name}.toml").read_bytes()
    return msgspec.toml.decode(content, type=PriceList)
