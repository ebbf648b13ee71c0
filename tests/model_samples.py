"""Requests made from the service models: the least that each operation takes, and its members."""

import datetime as dt
import os
from functools import cache

import botocore.loaders
import botocore.model

import serving  # noqa: F401 - sets AWS_DATA_PATH

# What a member's type and bounds do not say.
_BY_NAME = {
    "KeySpec": "SYMMETRIC_DEFAULT",
    "KeyPairSpec": "RSA_2048",
    "Operations": ["Decrypt"],
    "PolicyDocument": (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}'
    ),
    "PolicyInputList": [],
    "RoleSessionName": "session",
    "ActionNames": ["kms:Encrypt"],
    "Url": "https://example.com",
    "ThumbprintList": ["0" * 40],
    "Status": "Active",
    "AuthenticationCode1": "123456",
    "AuthenticationCode2": "654321",
    "VersionId": "v1",
    "PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess",
    "NumberOfBytes": 16,
    "PendingWindowInDays": 7,
}


# With the admin service's model, where `serving` has told botocore to look.
LOADER = botocore.loaders.create_loader(os.environ["AWS_DATA_PATH"])


@cache
def service_model(service):
    """Return botocore's model of a service."""
    description = LOADER.load_service_model(service, "service-2")
    return botocore.model.ServiceModel(description, service)


def members_of(service, operation):
    """Return the shapes of the members of a request, by name."""
    shape = service_model(service).operation_model(operation).input_shape
    return {} if shape is None else dict(shape.members)


def required_of(service, operation):
    """Return the names of the members that a request must have."""
    shape = service_model(service).operation_model(operation).input_shape
    return () if shape is None else tuple(shape.required_members)


def least_request(service, operation):
    """Return the required members of a request, each with a value that its shape takes."""
    members = members_of(service, operation)
    return {name: sample(members[name], name) for name in required_of(service, operation)}


def sample(shape, name=""):
    """Return some value of a shape."""
    if name in _BY_NAME:
        return _BY_NAME[name]
    least = shape.metadata.get("min", 1) or 1
    match shape.type_name:
        case "string":
            return shape.enum[0] if shape.enum else "x" * least
        case "blob":
            return b"x" * least
        case "integer" | "long":
            return least
        case "boolean":
            return False
        case "timestamp":
            return dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
        case "list":
            return [sample(shape.member, name)] * least
        case "map":
            return {}
        case "structure":
            return {one: sample(shape.members[one], one) for one in shape.required_members}
    raise AssertionError(shape.type_name)
