"""Operations tried step by step, as the path takes them: look up, authorize, read, ask, finish."""

import uuid
from typing import NamedTuple

import msgspec

from kagimori.entities.identity_tables import USERS
from kagimori.entities.tables import ACCOUNTS
from kagimori.front.models import ServiceModel
from kagimori.gate.account_view import AccountView
from kagimori.gate.asked import Asked, Request, Settings
from kagimori.gate.callers import Callers
from kagimori.gate.may_they import authorize_all
from kagimori.operations.operation import Withheld
from kagimori.operations.registry import OPERATIONS
from kagimori.rules.identity.account import AccessKey, Account
from kagimori.rules.identity.user import User
from kagimori.rules.request import Call, RawRequest
from kagimori_boundary.replies import Failed
from kit.in_memory import InMemoryView

ACCOUNT, OTHER, REGION, NOW = "111122223333", "444455556666", "us-east-1", 1_800_000_000.0
MODELS = {
    service: ServiceModel.load(service)
    for service in ("kms", "iam", "sts", "cloudtrail", "kagimori")
}
RAW = RawRequest("request", b"POST", b"/", (), b"", "192.0.2.1")


class Tried(NamedTuple):
    """What one call came to: each step's result."""

    facts: object
    command: object
    outcome: object

    @property
    def answer(self):
        return self.outcome.answer

    @property
    def needs(self):
        return [need.action for need in self.facts.needs]


class Trial:
    """An account (with its root user) in memory, and the calls that are made in it."""

    def __init__(self, view=None, drawn=0, operations=OPERATIONS):
        self.view = InMemoryView() if view is None else view
        self.now = NOW
        self._drawn, self._operations = drawn, operations
        for account in (ACCOUNT, OTHER):
            self.view.put(ACCOUNTS, Account(account_id=account, created_at=0.0))
        self._callers = Callers(self.view)

    def copy(self):
        """Return another trial that goes on from here by itself, and draws the same."""
        return Trial(self.view.copy(), self._drawn, self._operations)

    def draw(self):
        """Return a UUID: always the same one for the first draw, the second, and so on."""
        self._drawn += 1
        return str(uuid.uuid5(uuid.NAMESPACE_OID, str(self._drawn)))

    def user(self, name, *statements, account=ACCOUNT):
        """Make a user with these policy statements; return it as a caller."""
        policy = msgspec.json.encode({"Version": "2012-10-17", "Statement": list(statements)})
        user = User(
            account_id=account,
            name=name,
            unique_id=f"AIDA{name.upper()}",
            created_at=NOW,
            inline_policies={"p": policy.decode()} if statements else {},
        )
        self.view.put(USERS, user)
        return self.caller_named(name, account)

    def caller_named(self, name, account=ACCOUNT):
        """Return a user that exists as a caller."""
        return self._caller(f"AKIA{name.upper()}", account, name)

    def root(self, account=ACCOUNT):
        return self._caller(f"AKIAROOT{account}", account, None)

    def caller(self, name, account=ACCOUNT):
        """Return a user as a caller, judged by what the user may now."""
        return self._caller(f"AKIA{name.upper()}", account, name)

    def _caller(self, access_key_id, account, name):
        key = AccessKey(
            access_key_id=access_key_id,
            account_id=account,
            sealed_secret=b"sealed",
            created_at=NOW,
            user_name=name,
        )
        return self._callers.of_access_key(key, "aws")

    def call(self, name, reply=None, *, service="kms", by=None, region=REGION, **members):
        """Take all steps of one call, and make its changes; raises as the path would.

        `reply` is the HSM's, or is called with the command to have it.
        """
        operation = self._operations[service, name]
        asked = self.asked(name, service=service, by=by, region=region, **members)
        facts = operation.look_up(asked)
        allowed = authorize_all(asked, facts.needs)
        if isinstance(facts, Withheld):
            raise facts.refusal
        facts = operation.read(asked, facts)
        request = Request(asked.call, asked.caller, asked.raw, asked.now, asked.settings)
        command = operation.ask(request, allowed, facts)
        answered = reply(command) if callable(reply) else reply
        if isinstance(answered, Failed):
            raise operation.refusal(request, facts, answered.failure)
        outcome = operation.finish(request, facts, answered)
        self.view.apply(outcome.writes)
        return Tried(facts, command, outcome)

    def asked(self, name, *, service="kms", by=None, region=REGION, **members):
        """Return a call as operations see it while they read."""
        caller = by or self.root()
        given = msgspec.convert(members, MODELS[service].operation(name).input_type)
        return Asked(
            Call(service, name, region, given),
            caller,
            RAW,
            self.now,
            Settings(
                regions=frozenset((REGION, "eu-west-1")),
                home_region=REGION,
                operator_account_id=ACCOUNT,
            ),
            AccountView(self.view, caller.account_id),
            self.draw,
        )


def allow(*actions, resource="*"):
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


def deny(*actions, resource="*"):
    return {**allow(*actions, resource=resource), "Effect": "Deny"}
