"""Reads a service model from botocore: shapes and operations, without the documentation.

The model files of AWS's services lie inside botocore; they are read as data, and none of its code
runs. The one of the admin service lies in `service_models/`, in the same form.
Decoding straight into these types skips the documentation, nine tenths of each file, before it
ever becomes an object.
"""

import gzip
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

TypeName = Literal[
    "structure", "list", "map", "string", "blob", "boolean",
    "integer", "long", "float", "double", "timestamp",
]  # fmt: skip

# DIFFERS(aws): AWS repeats tokens and one-time codes in refusals, as its models allow; we do not.
UNMARKED_SECRETS: Final = frozenset(
    ("GrantTokenType", "authenticationCodeType", "tokenCodeType", "tokenType")
)


# The services whose folder in botocore has another name than they are signed for.
_FOLDERS: Final = {"servicequotas": "service-quotas"}


class Ref(Struct, frozen=True, gc=False, rename="camel"):
    """A use of a shape: as a member, an element, a key or a value; perhaps with a wire name."""

    shape: str
    location_name: str | None = None
    flattened: bool = False


class ErrorTrait(Struct, frozen=True, gc=False, rename="camel"):
    """The code and status that a Query service answers for an error shape."""

    code: str
    http_status_code: int


class Shape(Struct, frozen=True, gc=False):
    """One shape with its constraints. `min` and `max` bound a value, or a length."""

    type: TypeName
    members: dict[str, Ref] = {}
    required: tuple[str, ...] = ()
    member: Ref | None = None
    key: Ref | None = None
    value: Ref | None = None
    enum: tuple[str, ...] | None = None
    min: int | None = None
    max: int | None = None
    pattern: str | None = None
    sensitive: bool = False
    flattened: bool = False
    exception: bool = False
    fault: bool = False
    error: ErrorTrait | None = None


class OutputRef(Struct, frozen=True, gc=False, rename="camel"):
    shape: str
    result_wrapper: str | None = None


class OperationDescription(Struct, frozen=True, gc=False):
    name: str
    input: Ref | None = None
    output: OutputRef | None = None
    errors: tuple[Ref, ...] = ()


class Metadata(Struct, frozen=True, gc=False, rename="camel"):
    api_version: str
    protocol: str
    target_prefix: str | None = None
    xml_namespace: str | None = None


class Description(Struct, frozen=True, gc=False):
    """A whole service."""

    metadata: Metadata
    operations: dict[str, OperationDescription]
    shapes: dict[str, Shape]


def describe(service: str) -> Description:
    """Return the newest description of a service of ours, or that botocore carries.

    Raises:
        LookupError: there is no such service.
    """
    found = msgspec.json.decode(model_text(service), type=Description)
    for name in UNMARKED_SECRETS & found.shapes.keys():
        found.shapes[name] = replace(found.shapes[name], sensitive=True)
    return found


def model_text(service: str) -> bytes:
    """Return a service's model, JSON in botocore's form.

    Raises:
        LookupError: there is no such service.
    """
    own = resources.files("kagimori.front") / "service_models" / service
    if own.is_dir():
        return (own / _newest(own) / "service-2.json").read_bytes()
    versions = resources.files("botocore") / "data" / _FOLDERS.get(service, service)
    if not versions.is_dir():
        raise LookupError(f"nobody describes a service {service!r}")
    return gzip.decompress((versions / _newest(versions) / "service-2.json.gz").read_bytes())


def _newest(versions: Traversable) -> str:
    return max(entry.name for entry in versions.iterdir())
