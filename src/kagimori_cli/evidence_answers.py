"""Answers to the questions of a report, one after the other, by the caller of the command."""

import time
from collections.abc import Sequence
from typing import Any, Final

import botocore.session
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from kagimori_client.admin import AdminClient, ServiceError
from kagimori_client.connection import Unreachable
from kagimori_evidence.asking import Answer, Ask, Refused
from kagimori_evidence.deployment import ADMIN

_BUSY: Final = "ThrottlingException"
_TRIES: Final = 8
_PAUSE_SECONDS: Final = 0.25


class Answers:
    """Asks the services of one endpoint."""

    def __init__(self, server: AdminClient) -> None:
        self._server = server
        self._session = botocore.session.Session()
        self._clients: dict[tuple[str, str], Any] = {}

    def __call__(self, asks: Sequence[Ask]) -> list[Answer]:
        """Return the answers in the order of the questions.

        Raises:
            Unreachable: the server does not answer.
        """
        return [self._admin(ask) if ask.service == ADMIN else self._aws(ask) for ask in asks]

    def _admin(self, ask: Ask) -> Answer:
        for tried in range(1, _TRIES + 1):
            try:
                return self._asked(ask)
            except ServiceError as refused:
                if refused.code != _BUSY or tried == _TRIES:
                    return Refused(refused.code, refused.message)
            time.sleep(_PAUSE_SECONDS * tried)
        raise AssertionError  # the last try returns

    def _asked(self, ask: Ask) -> dict[str, Any]:
        if ask.every is None:
            return self._server.call(ask.operation, **ask.members)
        pages = self._server.pages(ask.operation, **ask.members)
        return {ask.every: [one for page in pages for one in page.get(ask.every, ())]}

    def _aws(self, ask: Ask) -> Answer:
        client = self._client(ask.service, ask.region or self._server.region)
        name = xform_name(ask.operation)
        try:
            if ask.every is None:
                found: dict[str, Any] = getattr(client, name)(**ask.members)
                return found
            pages = client.get_paginator(name).paginate(**ask.members)
            return {ask.every: [one for page in pages for one in page.get(ask.every, ())]}
        except ClientError as refused:
            error = refused.response["Error"]
            return Refused(error["Code"], error.get("Message", ""))
        except BotoCoreError as problem:
            raise Unreachable(" ".join(str(problem).split())) from None

    def _client(self, service: str, region: str) -> Any:
        if (service, region) not in self._clients:
            given = self._server.credentials
            self._clients[service, region] = self._session.create_client(
                service,
                region_name=region,
                endpoint_url=self._server.endpoint_url,
                verify=self._server.ca_bundle,
                aws_access_key_id=given.access_key_id,
                aws_secret_access_key=given.secret_access_key,
                aws_session_token=given.session_token,
                config=Config(retries={"max_attempts": 8, "mode": "standard"}),
            )
        return self._clients[service, region]
