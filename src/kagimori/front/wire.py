"""Finds the action of a request, and decodes and encodes in its protocol."""

from collections.abc import Mapping
from typing import Any, Final

from kagimori.front import json11, query
from kagimori.front.models import ServiceModel
from kagimori.front.received import FORM, Received, Target
from kagimori.front.refusals import in_query, json_refusal, query_refusal
from kagimori.rules.refusal import Refusal, UnknownOperationException
from kagimori.rules.request import RawAnswer, RawRequest
from kagimori.rules.sigv4.canonical import header_values
from kagimori.rules.sigv4.claim import Claim, read_claim
from kagimori.rules.sigv4.presigned import SIGNATURE, read_presigned

# What needs no signature: the token in such a request is all its authentication. With SAML it is
# refused as what is not offered, and not for the lack of a signature.
UNSIGNED: Final = frozenset({"AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"})
# Likewise of services that speak JSON: the password, or the token in its place.
UNSIGNED_JSON: Final = (("kagimori", "SignIn"),)


class Wire:
    """The services of one endpoint."""

    def __init__(self, services: tuple[str, ...]) -> None:
        self._models = {service: ServiceModel.load(service) for service in services}
        self._by_prefix = {
            name.encode(): model
            for model in self._models.values()
            if model.target_prefix
            for name in _names(model.target_prefix)
        }
        self._unsigned_actions = frozenset(
            f"{name}.{operation}".encode()
            for service, operation in UNSIGNED_JSON
            if service in self._models
            for name in _names(self._models[service].target_prefix or "")
        )
        self._targets: dict[bytes, Target] = {}

    def model(self, service: str) -> ServiceModel:
        return self._models[service]

    def receive(self, raw: RawRequest) -> Received:
        """Return a request with all that it says of itself; what cannot be read is its problem."""
        headers = header_values(raw.headers) if raw.values is None else raw.values
        authorization = headers.get(b"authorization")
        is_presigned = authorization is None and SIGNATURE in raw.target
        if is_presigned or raw.method == b"GET":  # the form is in the URL
            headers = {**headers, b"content-type": FORM}
        action = headers.get(b"x-amz-target")
        form = action is None and _is_form(headers)
        claim: Claim | None = None
        try:
            if is_presigned:
                claim = read_presigned(raw.target)
            elif authorization is None and form:
                unsigned = self._unsigned(raw)
                if unsigned is not None:
                    return Received(raw, headers, unsigned.model.service, form, None, unsigned)
            elif authorization is None and action in self._unsigned_actions:
                named = self._targets.get(action) or self._json_target(action)
                return Received(raw, headers, named.model.service, form, None, named)
            if claim is None:
                claim = read_claim(authorization)
            if action is not None:
                target = self._targets.get(action) or self._json_target(action)
            else:
                target = self._form_target(raw, claim.scope.service, form=form)
        except Exception as problem:  # noqa: BLE001 - the path answers and records it
            if claim is not None:
                service = claim.scope.service
            else:
                service = "sts" if raw.method == b"GET" else "kms"
            return Received(raw, headers, service, form, claim, None, problem)
        return Received(raw, headers, target.model.service, form, claim, target)

    def _form_target(self, raw: RawRequest, service: str, *, form: bool) -> Target:
        """Return the action that a form asks for; `service` is what the signature is scoped to.

        Raises:
            UnknownOperationException, InvalidAction: there is no such action.
            MalformedQueryString: the form cannot be read.
        """
        if not form:
            raise UnknownOperationException
        fields = query.parse_form(raw.target.partition(b"?")[2], raw.body)
        model = self._models.get(service)
        if model is None or model.protocol != "query":
            raise UnknownOperationException
        return Target(model, model.operation(fields.get("Action", "")), fields)

    def _unsigned(self, raw: RawRequest) -> Target | None:
        """Return the action of a form that needs no signature; None if it needs one.

        Raises:
            MalformedQueryString: the form cannot be read.
        """
        fields = query.parse_form(raw.target.partition(b"?")[2], raw.body)
        operation, sts = fields.get("Action", ""), self._models["sts"]
        return Target(sts, sts.operation(operation), fields) if operation in UNSIGNED else None

    def decode(self, target: Target, raw: RawRequest) -> Any:
        """Return the members of the request, held to the service model.

        Raises:
            SerializationException, ValidationException: they are not as the model says.
            MalformedInput, ValidationError: likewise, of a Query service.
        """
        if target.fields is not None:
            return query.decode(target.model, target.operation, target.fields)
        return json11.decode(target.model, target.operation, raw.body)

    def encode(
        self, target: Target, answer: Mapping[str, Any] | None, request_id: str
    ) -> RawAnswer:
        if target.fields is None:
            return RawAnswer(200, json11.encode(answer))
        body = query.encode(target.model, target.operation, answer, request_id)
        return RawAnswer(200, body, b"text/xml")

    def in_protocol(self, received: Received, refusal: Refusal) -> Refusal:
        """Return a refusal with the error code that it has in the request's protocol."""
        return in_query(refusal) if received.form else refusal

    def refuse(self, received: Received, refusal: Refusal) -> RawAnswer:
        """Return a refusal in the protocol the request speaks."""
        if not received.form:
            return json_refusal(refusal)
        model = self._models.get(received.service)
        if model is None or model.protocol != "query":
            model = self._models["sts"]
        return query_refusal(model, refusal, received.raw.request_id)

    def _json_target(self, name: bytes) -> Target:
        prefix, _, operation = name.rpartition(b".")
        model = self._by_prefix.get(prefix)
        if model is None:
            raise UnknownOperationException
        compiled = model.operation(operation.decode("latin-1"))
        target = self._targets[name] = Target(model, compiled)
        return target


def _names(target_prefix: str) -> tuple[str, str]:
    """Return both names that clients put before an action in `X-Amz-Target`.

    SDKs that are made from Smithy models send the service's name without its namespace; the others
    send what botocore's model says. For KMS these are the same.
    """
    return target_prefix, target_prefix.rpartition(".")[2]


def _is_form(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether a request without a target of its own speaks the Query protocol."""
    media_type = headers.get(b"content-type", b"").partition(b";")[0].strip(b" \t")
    return media_type.lower() == FORM
