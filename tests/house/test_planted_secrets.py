"""Secrets planted in every member that a record does not show, of every operation: found nowhere.

Members are taken from the service models, so that a new operation is covered by being there. What
a record may show is listed in `rules/records/parameters.py`. Promise: no-secret-in-sight.
"""

import base64
import gzip
import json
import secrets
import sqlite3
import urllib.parse

import botocore.session
import pytest
from botocore.serialize import create_serializer

import serving
from kagimori.operations.registry import OPERATIONS
from kagimori.rules.records.parameters import SHOWN
from receivers import SECRET, receiver

DEPTH_MAX = 4
FORMS = create_serializer("query", include_validation=False)
MODELS = botocore.session.get_session()
ABOUT_A_KEY = ("KeyId", "TargetKeyId", "DestinationKeyId", "SourceKeyId")


class Planting:
    """Makes values for members, and remembers what was planted."""

    def __init__(self, key):
        self.key, self.planted = key, []

    def secret(self):
        self.planted.append(secrets.token_hex(20).encode())
        return self.planted[-1]

    def value(self, shape, depth=0):
        """Return a value of a shape that carries secrets wherever it can."""
        if shape.type_name == "structure":
            if depth > DEPTH_MAX:
                return {}
            return {name: self.value(one, depth + 1) for name, one in shape.members.items()}
        if shape.type_name == "list":
            return [self.value(shape.member, depth + 1)]
        if shape.type_name == "map":
            return {self.secret().decode(): self.value(shape.value, depth + 1)}
        if shape.type_name == "blob":
            return base64.b64encode(self.secret()).decode()
        if shape.type_name == "string":
            # A choice from a list is no secret, and AWS's refusal repeats a wrong one.
            return shape.enum[0] if shape.enum else self.secret().decode()
        return {"boolean": True, "timestamp": 1_790_000_000}.get(shape.type_name, 1)

    def members(self, operation, shape, one):
        """Return an input with secrets in one member alone, the rest being what is required."""
        given = {one: self.value(shape.members[one])}
        for name in shape.required_members:
            given.setdefault(name, self.plain(name, shape.members[name]))
        return given

    def plain(self, name, shape):
        """Return a value without a secret, valid if that is easily had."""
        if name in ABOUT_A_KEY:
            return self.key
        if shape.type_name == "string":
            return (shape.enum or ["alias/none"])[0]
        if shape.type_name == "blob":
            return base64.b64encode(b"plain").decode()
        if shape.type_name == "list":
            return [self.plain("", shape.member)]
        if shape.type_name == "structure":
            members = shape.members
            return {one: self.plain(one, members[one]) for one in shape.required_members}
        return {} if shape.type_name == "map" else self.value(shape)


def model_of(service):
    """Return botocore's model of a service, by the name that it is signed for."""
    return MODELS.get_service_model({"servicequotas": "service-quotas"}.get(service, service))


def unshown():
    """Yield every operation that is offered, with a member that no record shows."""
    for service, operation in OPERATIONS:
        shape = model_of(service).operation_model(operation).input_shape
        for name in shape.members if shape is not None else ():
            if name not in SHOWN.get(operation, ()):
                yield service, operation, shape, name


def target_of(service, operation):
    model = model_of(service)
    return f"{model.metadata['targetPrefix']}.{operation}"


def everything_written(data, *others):
    """Yield a name and the content of all that a server has left; compressed files opened."""
    for folder in (data, *others):
        for path in folder.rglob("*"):
            if path.is_file() and path.name != "root-access-key.json":
                content = path.read_bytes()
                yield str(path), gzip.decompress(content) if path.suffix == ".gz" else content


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """What was planted, and all that is left of it: a list of places and contents."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name in ("bucket", "copies", "temporary"):
        (elsewhere / name).mkdir()
    (elsewhere / "webhook-secret").write_bytes(SECRET)
    (elsewhere / "webhook-secret").chmod(0o600)
    with receiver() as received, serving.temporary_folder() as folder:
        data = folder / "data"
        made = serving.init(data)
        arguments = ["serve", "--data", data, "--listen", "127.0.0.1:0", "--denial-storm", "5"]
        arguments += ["--deliver", elsewhere / "bucket", "--checkpoint", elsewhere / "copies"]
        arguments += ["--notify-url", received.url]
        arguments += ["--webhook-secret", elsewhere / "webhook-secret"]
        server = serving.Server(
            arguments, data=data, made=made, TMPDIR=str(elsewhere / "temporary")
        ).wait_ready()
        try:
            kms = server.client()
            canary = [{"TagKey": "kagimori:canary", "TagValue": "x"}]
            key = kms.create_key(Tags=canary)["KeyMetadata"]["KeyId"]
            kms.close()
            planting = Planting(key)
            count = plant(server, planting)
            metrics = serving.get(server.running["admin_url"] + "/metrics")[2]
            status = serving.get(server.running["admin_url"] + "/status")[2]
            serving.eventually(lambda: "KMS Canary Key Touched" in str(received.events), 20)
        finally:
            assert server.stop() == 0
        (elsewhere / "webhook-secret").unlink()
        connection = sqlite3.connect(data / "kagimori.db")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        places = list(everything_written(data, elsewhere))
        places += [("the log", "".join(server.stderr).encode()), ("metrics", metrics)]
        places += [("status", status), ("standard output", "".join(server.stdout).encode())]
        places += [(f"event {name}", body) for name, body in received.bodies]
        yield planting.planted, places, count


def plant(server, planting):
    """Send all calls; return how many were recorded."""
    for service, operation, shape, name in unshown():
        if model_of(service).metadata["protocol"] == "query":
            send_form(server, service, operation, planting.members(operation, shape, name))
            continue
        members = planting.members(operation, shape, name)
        body = json.dumps(members)
        send(server, service, operation, body)
        if isinstance(members[name], list):  # more of them than may be
            many = {**members, name: members[name] * 11}
            send(server, service, operation, json.dumps(many))
        # Cut off, of the wrong type, under a name that does not exist.
        send(server, service, operation, body[:-2])
        send(server, service, operation, json.dumps({name: {"x": planting.secret().decode()}}))
        send(server, service, operation, json.dumps({planting.secret().decode(): "x"}))
    # Around the body.
    for headers in (
        {"X-Amz-Security-Token": planting.secret().decode()},
        {"Cookie": planting.secret().decode()},
        {"X-Amz-Meta-Secret": planting.secret().decode()},
    ):
        send(server, "kms", "ListKeys", "{}", headers=headers)
    serving.get(f"{server.url}/{planting.secret().decode()}?x={planting.secret().decode()}")
    return sum(
        file.read_bytes().count(b"\n") for file in serving.stream(server.data).glob("*.jsonl")
    )


def send_form(server, service, operation, members):
    """Send a call of a service that takes forms; AWS's own code writes them."""
    model = model_of(service).operation_model(operation)
    form = FORMS.serialize_to_request(members, model)["body"]
    body = urllib.parse.urlencode(form).encode()
    region = "us-east-1" if service == "iam" else None
    signed = serving.Signed(
        server, operation, body, service=service, protocol="query", region=region
    )
    return server.send(signed)


def send(server, service, operation, body, headers=None):
    signed = serving.Signed(
        server,
        operation,
        body.encode(),
        service=service,
        headers={**(headers or {}), "X-Amz-Target": target_of(service, operation)},
    )
    return server.send(signed)


def forms(secret):
    yield secret
    yield base64.b64encode(secret)
    for cut in (1, 2):  # as base64 shows it within something longer
        yield base64.b64encode(secret[cut:])[:-4]
    yield secret.hex().encode()


def test_enough_was_planted(left):
    planted, places, count = left
    assert len(planted) > 100
    assert count > 150
    assert {"bucket", "copies"} <= {part for name, _ in places for part in name.split("/")}


def test_nothing_of_it_is_found(left):
    planted, places, _ = left
    found = [
        (place, secret)
        for place, content in places
        for secret in planted
        for form in forms(secret)
        if form in content
    ]
    assert found == []
