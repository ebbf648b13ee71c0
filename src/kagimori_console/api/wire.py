"""Requests and answers of the services, by botocore's models; the admin service's are plain JSON.

The parts of botocore that are used here neither sign nor send: a page calls as the person who is
signed in, and a client of botocore for each of them would take longer than the call.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import urlencode

import botocore.parsers
import botocore.serialize
import botocore.session
from botocore.exceptions import ParamValidationError
from botocore.model import OperationNotFoundError, ServiceModel
from botocore.parsers import ResponseParserError

from kagimori_client.admin import CONTENT_TYPE, TARGET_PREFIX
from kagimori_console.api.failures import ApiAway, ApiRefused

ADMIN: Final = "kagimori"
# service: the name in the credential scope, where it is another
_SIGNED_AS: Final = {"service-quotas": "servicequotas"}
_OK: Final = 200
_BAD_REQUEST: Final = 400


@dataclass(frozen=True)
class Call:
    """One call on the wire, before it is signed; `signed_as` is the service in the signature."""

    service: str
    operation: str
    signed_as: str
    headers: Mapping[str, str]
    body: bytes


def encode(service: str, operation: str, members: Mapping[str, Any]) -> Call:
    """Return a call; members that are None are left out.

    Raises:
        ApiRefused: a member has no value that the operation could take.
    """
    given = {name: value for name, value in members.items() if value is not None}
    if service == ADMIN:
        headers = {"content-type": CONTENT_TYPE, "x-amz-target": f"{TARGET_PREFIX}.{operation}"}
        return Call(service, operation, ADMIN, headers, json.dumps(given).encode())
    model = _model(service)
    try:
        shape = model.operation_model(operation)
        made = _serializer(service).serialize_to_request(given, shape)
    except (OperationNotFoundError, ParamValidationError) as problem:
        raise ApiRefused(
            service,
            operation,
            code="ValidationException",
            message=" ".join(str(problem).split()),
            status=_BAD_REQUEST,
            request_id="",
        ) from None
    body = made["body"]
    if isinstance(body, dict):
        body = urlencode(body)
    content = body.encode() if isinstance(body, str) else bytes(body)
    headers = {name.lower(): str(value) for name, value in made["headers"].items()}
    return Call(service, operation, _SIGNED_AS.get(service, service), headers, content)


def decode(call: Call, status: int, headers: Mapping[str, str], content: bytes) -> dict[str, Any]:
    """Return the members of an answer.

    Raises:
        ApiRefused: it is an error.
        ApiAway: it is no answer of such a service.
    """
    request_id = headers.get("x-amzn-requestid", "")
    if call.service == ADMIN:
        found = _json(content)
        code = str(found.get("__type", status)).rpartition("#")[2]
        message = str(found.get("message") or found.get("Message") or "")
    else:
        found = _parsed(call, status, headers, content)
        metadata = found.pop("ResponseMetadata", {})
        request_id = request_id or str(metadata.get("RequestId", ""))
        error = found.get("Error", {})
        code, message = str(error.get("Code", status)), str(error.get("Message", ""))
    if status == _OK:
        return found
    raise ApiRefused(
        call.service,
        call.operation,
        code=code,
        message=message,
        status=status,
        request_id=request_id,
    )


def _json(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content or b"{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ApiAway("the endpoint does not answer as Kagimori does")
    return found


def _parsed(call: Call, status: int, headers: Mapping[str, str], content: bytes) -> dict[str, Any]:
    shape = _model(call.service).operation_model(call.operation).output_shape
    answer = {"status_code": status, "headers": dict(headers), "body": content}
    try:
        found: dict[str, Any] = _parser(call.service).parse(answer, shape)
    except ResponseParserError:
        raise ApiAway("the endpoint does not answer as Kagimori does") from None
    return found


@cache
def _model(service: str) -> ServiceModel:
    loader = botocore.session.Session().get_component("data_loader")
    return ServiceModel(loader.load_service_model(service, "service-2"), service)


@cache
def _serializer(service: str) -> Any:
    return botocore.serialize.create_serializer(
        _model(service).resolved_protocol, include_validation=True
    )


@cache
def _parser(service: str) -> Any:
    return botocore.parsers.create_parser(_model(service).resolved_protocol)
