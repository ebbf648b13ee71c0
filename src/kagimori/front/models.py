"""Service models: the input, output and errors of each API action.

Operations are compiled when they are first called, so that a worker pays for those in use.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Self

import msgspec
from msgspec import Struct

from kagimori.front.shapes import Description, OperationDescription, Shape, describe
from kagimori.front.structs import StructMaker
from kagimori.rules.identity.refusals import InvalidAction
from kagimori.rules.refusal import UnknownOperationException


class OperationModel(Struct, frozen=True):
    """One API action, ready to decode.

    `input_type` is a struct type also for actions without members: it then has none.
    `output_shape` is None when success has no result.
    """

    name: str
    input_type: type[Struct]
    input_shape: Shape
    output_shape: Shape | None
    result_wrapper: str | None
    errors: tuple[str, ...]
    decoder: Any


class ServiceModel:
    """One service. Made by `load`."""

    def __init__(self, service: str, description: Description) -> None:
        metadata = description.metadata
        self.service = service
        self.api_version = metadata.api_version
        self.protocol = metadata.protocol
        self.target_prefix = metadata.target_prefix
        self.xml_namespace = metadata.xml_namespace
        self.shapes: Mapping[str, Shape] = description.shapes
        self._described = description.operations
        self._structs = StructMaker(description.shapes)
        self._compiled: dict[str, OperationModel] = {}
        self._statuses = _statuses(description.shapes)

    @classmethod
    def load(cls, service: str) -> Self:
        """Return the model of `kms`, `iam`, `sts` or `cloudtrail`.

        Raises:
            LookupError: botocore has no such service.
        """
        return cls(service, describe(service))

    @property
    def operations(self) -> Iterable[str]:
        """The names of all actions."""
        return self._described.keys()

    def operation(self, name: str) -> OperationModel:
        """Return an action's model, compiled now if never asked for before.

        Raises:
            UnknownOperationException: no such action (JSON services).
            InvalidAction: no such action (Query services).
        """
        compiled = self._compiled.get(name)
        if compiled is not None:
            return compiled
        described = self._described.get(name)
        if described is None:
            raise self._unknown(name)
        compiled = self._compiled[name] = self._compile(described)
        return compiled

    def error_status(self, code: str) -> int:
        """Return the HTTP status of an error code; 400 for codes the model does not have."""
        return self._statuses.get(code, 400)

    def _compile(self, described: OperationDescription) -> OperationModel:
        output = described.output
        if described.input is None:
            input_shape = Shape(type="structure")
            input_type = msgspec.defstruct(f"{described.name}Request", [], frozen=True, gc=False)
        else:
            input_shape = self.shapes[described.input.shape]
            input_type = self._structs.struct(described.input.shape)
        return OperationModel(
            name=described.name,
            input_type=input_type,
            input_shape=input_shape,
            output_shape=self.shapes[output.shape] if output else None,
            result_wrapper=output.result_wrapper if output else None,
            errors=tuple(_code(ref.shape, self.shapes[ref.shape]) for ref in described.errors),
            decoder=msgspec.json.Decoder(input_type),
        )

    def _unknown(self, name: str) -> UnknownOperationException | InvalidAction:
        if self.protocol != "query":
            return UnknownOperationException()
        return InvalidAction(
            f"Could not find operation {name[:128]} for version {self.api_version}"
        )


def _code(name: str, shape: Shape) -> str:
    return shape.error.code if shape.error else name


def _statuses(shapes: Mapping[str, Shape]) -> dict[str, int]:
    """Return the status of each error code; errors that are the service's own fault give 500."""
    statuses: dict[str, int] = {}
    for name, shape in shapes.items():
        if shape.error:
            statuses[shape.error.code] = shape.error.http_status_code
        elif shape.exception:
            statuses[name] = 500 if shape.fault else 400
    return statuses
