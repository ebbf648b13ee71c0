"""Clients that do everything at once to the same keys, and record each request in a history.

Every key has a state, a description, a policy, tags, grants and aliases, and every client changes
all of them; alice may use a key by its policy, or by a grant of her own for one encryption context.
"""

import http.client
import json
import random
import threading
import time

import serving
from histories.history import ABSENT, NEVER, OK, REFUSED, UNKNOWN, Read, Write

ENABLED, DISABLED, PENDING, THERE = "Enabled", "Disabled", "PendingDeletion", "there"
STATES = (ENABLED, DISABLED)
CONTEXT_NAME = "number"


class World:
    """The nodes, the keys, and the names that clients may use; made before they begin."""

    def __init__(self, nodes, history, keys=3, user="alice"):
        self.nodes, self.history = nodes, history
        self.user = user
        self.lock, self.numbers = threading.Lock(), 0
        first = nodes[0]
        iam, kms = first.client("iam"), first.client()
        iam.create_user(UserName=user)
        made = iam.create_access_key(UserName=user)["AccessKey"]
        self.alice = {"access_key": made["AccessKeyId"], "secret": made["SecretAccessKey"]}
        self.keys = [
            kms.create_key(Policy=self.policy("none", is_allowed=False))["KeyMetadata"]["KeyId"]
            for _ in range(keys)
        ]
        self.aliases = [f"alias/{user}{number}" for number in range(3)]
        self.tags = [f"t{number}" for number in range(4)]
        self.grants, self.descriptions = {}, []
        for key in self.keys:
            history.begin(f"state/{key}", ENABLED)
            history.begin(f"description/{key}", "")
            history.begin(f"policy/{key}", "none")
            history.begin(f"may/{key}", "deny")
        for client in (iam, kms):
            client.close()

    def policy(self, sid, *, is_allowed):
        """Return a key policy under which alice may encrypt, or may not."""
        account = f"arn:aws:iam::{self.nodes[0].account}"
        statements = [("root", f"{account}:root", "kms:*"), (sid, f"{account}:root", "kms:List*")]
        if is_allowed:
            statements.append(("alice", f"{account}:user/{self.user}", "kms:Encrypt"))
        return json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": sid,
                        "Effect": "Allow",
                        "Principal": {"AWS": who},
                        "Action": action,
                        "Resource": "*",
                    }
                    for sid, who, action in statements
                ],
            }
        )

    def number(self):
        """Return a number that nobody had before."""
        with self.lock:
            self.numbers += 1
            return self.numbers


class Client(threading.Thread):
    """One client: requests chosen by its seed, one after the other, until it is stopped."""

    def __init__(self, world, name, *, home=0, pause=0.0):
        super().__init__(name=name, daemon=True)
        self._world, self._home, self._pause = world, world.nodes[home], pause
        self._chance = random.Random(f"{world.history.seed}/{name}")
        self._own_grants = []
        self.stopping, self.answers, self.problem = threading.Event(), 0, None

    def run(self):
        choices = [getattr(self, name) for name, times in REQUESTS.items() for _ in range(times)]
        try:
            while not self.stopping.is_set():
                self._chance.choice(choices)(self._chance.choice(self._world.keys))
                self.stopping.wait(self._pause)
        except BaseException as problem:
            self.problem = problem
            raise

    def ask(
        self,
        name,
        body,
        *,
        key=None,
        writes=(),
        seen=lambda answer: (),
        refusals=None,
        by=None,
        node=None,
    ):
        """Make one request and record it; return the answer, or None if there was none.

        `refusals`: the reads that an error code stands for.
        """
        node = node or (
            self._home if self._chance.random() < 0.7 else self._chance.choice(self._world.nodes)
        )
        request = serving.Signed(node, name, body, **(by or {}))
        members = {"client": self.name, "node": node.name, "name": name, "writes": tuple(writes)}
        called = time.monotonic()
        try:
            answer = request.send(node.url)
        except ConnectionRefusedError:
            time.sleep(0.02)  # nobody there: nothing was asked
            return None
        except (OSError, http.client.HTTPException) as problem:
            self._record(members, called, NEVER, UNKNOWN, code=type(problem).__name__)
            return None
        done = time.monotonic()
        shown = answer.json if answer.body else {}
        if answer.status == 200:
            self.answers += 1
            members["request_id"] = answer.headers["x-amzn-requestid"]
            self._record(members, called, done, OK, reads=seen(shown))
            return shown
        code = shown.get("__type", "").rpartition("#")[2]
        if answer.status >= 500:
            self._record(members, called, NEVER, UNKNOWN, code=code)
            return None
        known = {**_refusals_of_state(key), **(refusals or {})}
        assert code in known, f"{name} was refused with {code}: {shown}"
        self._record(members, called, done, REFUSED, reads=known[code], code=code)
        return None

    def _record(self, members, called, done, outcome, *, reads=(), code=""):
        self._world.history.add(
            **members, called=called, done=done, outcome=outcome, reads=tuple(reads), code=code
        )

    # --- the state ----------------------------------------------------------------------------

    def enable(self, key):
        self._set(key, "EnableKey", ENABLED, STATES)

    def disable(self, key):
        self._set(key, "DisableKey", DISABLED, STATES)

    def schedule(self, key):
        self._set(key, "ScheduleKeyDeletion", PENDING, STATES)
        self.cancel(key)

    def cancel(self, key):
        not_pending = {"KMSInvalidStateException": [Read(f"state/{key}", STATES)]}
        self._set(key, "CancelKeyDeletion", DISABLED, (PENDING,), not_pending)
        self.enable(key)

    def _set(self, key, name, value, needs, refusals=None):
        write = Write(f"state/{key}", value, needs)
        self.ask(name, {"KeyId": key}, key=key, writes=[write], refusals=refusals)

    def describe(self, key, node=None):
        self.ask(
            "DescribeKey",
            {"KeyId": key},
            node=node,
            seen=lambda answer: [
                Read(f"state/{key}", (answer["KeyMetadata"]["KeyState"],)),
                Read(f"description/{key}", (answer["KeyMetadata"]["Description"],)),
            ],
        )

    def encrypt(self, key):
        self.ask("Encrypt", _encrypted(key), key=key, seen=lambda _: [_use_of(key)])

    # --- description, policy, tags -------------------------------------------------------------

    def update_description(self, key):
        value = f"d{self._world.number()}"
        write = Write(f"description/{key}", value)
        self.ask(
            "UpdateKeyDescription", {"KeyId": key, "Description": value}, key=key, writes=[write]
        )

    def put_policy(self, key):
        sid, may = f"p{self._world.number()}", self._chance.random() < 0.5
        body = {"KeyId": key, "Policy": self._world.policy(sid, is_allowed=may)}
        writes = [Write(f"policy/{key}", sid), Write(f"may/{key}", "allow" if may else "deny")]
        self.ask("PutKeyPolicy", body, key=key, writes=writes)

    def get_policy(self, key, node=None):
        def seen(answer):
            return [Read(f"policy/{key}", (json.loads(answer["Policy"])["Statement"][1]["Sid"],))]

        self.ask("GetKeyPolicy", {"KeyId": key}, node=node, seen=seen)

    def alice_encrypts(self, key):
        denied = {"AccessDeniedException": [Read(f"may/{key}", ("deny",))]}
        self.ask(
            "Encrypt", _encrypted(key), key=key, by=self._world.alice, refusals=denied,
            seen=lambda _: [_use_of(key), Read(f"may/{key}", ("allow",), is_use=True)],
        )  # fmt: skip

    def tag(self, key):
        name, value = self._chance.choice(self._world.tags), f"v{self._world.number()}"
        body = {"KeyId": key, "Tags": [{"TagKey": name, "TagValue": value}]}
        self.ask("TagResource", body, key=key, writes=[Write(f"tag/{key}/{name}", value)])

    def untag(self, key):
        name = self._chance.choice(self._world.tags)
        write = Write(f"tag/{key}/{name}", ABSENT)
        self.ask("UntagResource", {"KeyId": key, "TagKeys": [name]}, key=key, writes=[write])

    def list_tags(self, key, node=None):
        def seen(answer):
            tags = {tag["TagKey"]: tag["TagValue"] for tag in answer["Tags"]}
            names = self._world.tags
            return [Read(f"tag/{key}/{name}", (tags.get(name, ABSENT),)) for name in names]

        self.ask("ListResourceTags", {"KeyId": key}, node=node, seen=seen)

    # --- grants -------------------------------------------------------------------------------

    def grant(self, key):
        number = f"{self._world.number()}"
        register = f"grant/{key}/{number}"
        body = {
            "KeyId": key,
            "GranteePrincipal": f"arn:aws:iam::{self._world.nodes[0].account}:user/{self._world.user}",
            "Operations": ["GenerateDataKeyWithoutPlaintext"],
            "Constraints": {"EncryptionContextEquals": {CONTEXT_NAME: number}},
        }
        with self._world.lock:
            self._world.grants.setdefault(key, []).append(number)
        answer = self.ask("CreateGrant", body, key=key, writes=[Write(register, THERE)])
        if answer is not None:
            self._own_grants.append((key, number, answer["GrantId"]))
            if len(self._own_grants) > 4:
                self.revoke(key)

    def revoke(self, _):
        if not self._own_grants:
            return
        key, number, grant_id = self._own_grants.pop(0)
        register = f"grant/{key}/{number}"
        gone = {"NotFoundException": [Read(register, (ABSENT,))]}
        self.ask(
            "RevokeGrant", {"KeyId": key, "GrantId": grant_id}, key=key, refusals=gone,
            writes=[Write(register, ABSENT)],
        )  # fmt: skip

    def list_grants(self, key, node=None):
        with self._world.lock:
            numbers = list(self._world.grants.get(key, ()))

        def seen(answer):
            if answer["Truncated"]:
                return []
            there = {
                grant["Constraints"]["EncryptionContextEquals"][CONTEXT_NAME]
                for grant in answer["Grants"]
            }
            return [
                Read(f"grant/{key}/{number}", (THERE if number in there else ABSENT,))
                for number in numbers
            ]

        self.ask("ListGrants", {"KeyId": key, "Limit": 100}, key=key, node=node, seen=seen)

    def alice_is_granted(self, key):
        with self._world.lock:
            numbers = self._world.grants.get(key, ())[-8:]
        if not numbers:
            return
        number = self._chance.choice(numbers)
        register = f"grant/{key}/{number}"
        body = {"KeyId": key, "KeySpec": "AES_256", "EncryptionContext": {CONTEXT_NAME: number}}
        self.ask(
            "GenerateDataKeyWithoutPlaintext", body, key=key, by=self._world.alice,
            refusals={"AccessDeniedException": [Read(register, (ABSENT,))]},
            seen=lambda _: [_use_of(key), Read(register, (THERE,), is_use=True)],
        )  # fmt: skip

    # --- aliases and keys ---------------------------------------------------------------------

    def alias(self, key):
        name, chosen = self._chance.choice(self._world.aliases), self._chance.random()
        there, absent = tuple(self._world.keys), (ABSENT,)
        is_there, is_absent = [Read(name, there)], [Read(name, absent)]
        body = {"AliasName": name, "TargetKeyId": key}
        if chosen < 0.4:
            self.ask(
                "CreateAlias", body, key=key, writes=[Write(name, key, absent)],
                refusals={"AlreadyExistsException": is_there},
            )  # fmt: skip
        elif chosen < 0.7:
            self.ask(
                "UpdateAlias", body, key=key, writes=[Write(name, key, there)],
                refusals={"NotFoundException": is_absent},
            )  # fmt: skip
        else:
            self.ask(
                "DeleteAlias", {"AliasName": name}, writes=[Write(name, ABSENT, there)],
                refusals={"NotFoundException": is_absent},
            )  # fmt: skip

    def follow_alias(self, _, node=None, name=None):
        name = name or self._chance.choice(self._world.aliases)
        self.ask(
            "DescribeKey", {"KeyId": name}, node=node,
            refusals={"NotFoundException": [Read(name, (ABSENT,))]},
            seen=lambda answer: [Read(name, (answer["KeyMetadata"]["KeyId"],))],
        )  # fmt: skip

    def create_key(self, _):
        description = f"key/{self._world.user}/{self._world.number()}"
        with self._world.lock:
            self._world.descriptions.append(description)
        self.ask("CreateKey", {"Description": description}, writes=[Write(description, "once")])


REQUESTS = {
    "enable": 3, "disable": 2, "schedule": 1, "describe": 5, "encrypt": 6,
    "update_description": 2, "put_policy": 3, "get_policy": 2, "alice_encrypts": 6,
    "tag": 4, "untag": 1, "list_tags": 3, "grant": 3, "revoke": 2, "list_grants": 2,
    "alice_is_granted": 5, "alias": 4, "follow_alias": 4, "create_key": 1,
}  # fmt: skip


def _encrypted(key):
    return {"KeyId": key, "Plaintext": "eA=="}


def _use_of(key):
    return Read(f"state/{key}", (ENABLED,), is_use=True)


def _refusals_of_state(key):
    if key is None:
        return {}
    return {
        "DisabledException": [Read(f"state/{key}", (DISABLED,))],
        "KMSInvalidStateException": [Read(f"state/{key}", (PENDING,))],
    }


def read_everything(world):
    """Read every register on every node, once all is quiet: what was acknowledged is there."""
    last = Client(world, "last")
    for node in world.nodes:
        for key in world.keys:
            for read in (last.describe, last.get_policy, last.list_tags, last.list_grants):
                read(key, node)
        for name in world.aliases:
            last.follow_alias(None, node, name)
        _count_keys(last, world, node)


def _count_keys(last, world, node):
    """Read how often each key was made: a request whose answer was lost made one key, or none."""
    kms, called = node.client(), time.monotonic()
    found = [
        kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["Description"]
        for page in kms.get_paginator("list_keys").paginate()
        for key in page["Keys"]
    ]
    kms.close()
    times = {0: ABSENT, 1: "once"}
    world.history.add(
        client=last.name, node=node.name, name="ListKeys", called=called, done=time.monotonic(),
        outcome=OK,
        reads=tuple(
            Read(one, (times.get(found.count(one), "more than once"),))
            for one in world.descriptions
        ),
    )  # fmt: skip
