"""What an operation costs does not depend on how much there is: each step is counted, in two worlds.

In one world an account has a page of everything and a little more; in the other, many times that.
"""

import sqlite3
from collections import defaultdict
from contextlib import closing

import pytest

from kagimori.entities.identity_tables import (
    ACCESS_KEYS,
    ATTACHMENTS,
    GROUPS,
    INSTANCE_PROFILES,
    MANAGED_POLICIES,
    MFA_DEVICES,
    OIDC_PROVIDERS,
    ROLES,
    USERS,
)
from kagimori.entities.tables import ALIASES, GRANTS, KMS_KEYS, TABLES
from kagimori.machinery.store.migrations import migrate
from kagimori.machinery.store.sql import Statements
from kagimori.operations.registry import OPERATIONS
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.group import Group
from kagimori.rules.identity.instance_profile import InstanceProfile
from kagimori.rules.identity.managed_policy import Attachment, ManagedPolicy, PolicyVersion
from kagimori.rules.identity.mfa_device import MfaDevice
from kagimori.rules.identity.oidc_provider import OidcProvider
from kagimori.rules.identity.role import Role
from kagimori.rules.identity.user import User
from kagimori.rules.keys.kms_key import Alias, KmsKey
from kagimori.rules.keys.stored_grant import StoredGrant
from kit.counted_store import CountedStore
from kit.hsm import reply_to
from kit.iam_story import POLICY, TRUST, iam_story
from kit.kms_story import kms_story
from kit.trial import ACCOUNT, REGION, Trial

# More than a page, below every quota but the one of providers, of which there are fewer.
FEW, MANY = 110, 280
PROVIDERS_MAX = 90
AWS_POLICY = "arn:aws:iam::aws:policy/AdministratorAccess"


def crowd(store, size):
    """Fill an account with things that the story is not about, but stand beside what it is about."""
    for number in range(size):
        name = f"z{number:04}"
        of = {"account_id": ACCOUNT, "created_at": 1.0}
        named = {**of, "name": name, "unique_id": f"ID{number:017}"}
        target = f"key-{number // 40}"
        writes = [
            (KMS_KEYS, KmsKey(**of, region=REGION, key_id=f"key-{number}", key_policy="{}")),
            (
                ALIASES,
                Alias(
                    **of,
                    region=REGION,
                    alias_name=f"alias/{name}",
                    target_key_id=target,
                    updated_at=1.0,
                ),
            ),
            (GRANTS, grant(number, "key-0")),
            (USERS, User(**named)),
            (GROUPS, Group(**named)),
            (ROLES, Role(**named, trust_policy=TRUST)),
            (MANAGED_POLICIES, managed(named)),
            (INSTANCE_PROFILES, InstanceProfile(**named)),
            (MFA_DEVICES, MfaDevice(**of, name=name, sealed_seed=b"s")),
            (ATTACHMENTS, attachment(AWS_POLICY, name)),
            (
                ACCESS_KEYS,
                AccessKey(**of, access_key_id=f"AKIA{number}", sealed_secret=b"s", user_name=name),
            ),
        ]
        if number < PROVIDERS_MAX:
            writes.append((OIDC_PROVIDERS, OidcProvider(**of, url=f"{name}.example")))
        for table, entity in writes:
            store.put(table, entity)


def grant(number, key_id):
    return StoredGrant(
        account_id=ACCOUNT,
        region=REGION,
        key_id=key_id,
        grant_id=f"{number:064x}",
        created_at=1.0,
        grantee=f"arn:aws:iam::{ACCOUNT}:user/alice",
        grantee_shown=f"arn:aws:iam::{ACCOUNT}:user/alice",
        retiring=f"arn:aws:iam::{ACCOUNT}:user/alice",
        issuing_account=ACCOUNT,
        operations=("Encrypt",),
    )


def managed(named):
    version = PolicyVersion(number=1, text=POLICY, created_at=1.0)
    return ManagedPolicy(**named, updated_at=1.0, versions=(version,))


def attachment(arn, name):
    return Attachment(account_id=ACCOUNT, policy_arn=arn, use="policy", noun="user", bearer=name)


def beside(store, size, name, answer):
    """Give what the story has just made as many belongings as there is of everything."""
    if name == "CreateKey":
        key_id = answer["KeyMetadata"]["KeyId"]
        store.put(GRANTS, *(grant(number, key_id) for number in range(size)))


# An account has ten custom key stores at most; tests/unit/operations/kms/test_key_stores.py.
NOT_TOLD = {name for _, name in OPERATIONS if "CustomKeyStore" in name}
# They look at all that an account has, which its quotas bound: docs/decisions/0049.
OF_ALL = {
    "GetAccountAuthorizationDetails",
    "GetAccountSummary",
    "ListEntitiesForPolicy",
    "ListPolicies",
}
STORIES = {"kms": kms_story, "iam": iam_story}


def steps_of(service, size):
    """Return calls and rows of each call of a service's story, by operation, among so many."""
    store = CountedStore()
    crowd(store, size)
    trial = Trial(view=store)
    if service == "kms":
        trial.user("alice")
    taken = defaultdict(list)

    def call(name, by=None, **given):
        caller = by and trial.caller_named(by)
        with store.counting():
            tried = trial.call(name, reply_to, service=service, by=caller, **given)
        taken[name].append((store.calls, store.rows))
        beside(store, size, name, tried.answer)
        return tried.answer

    STORIES[service](call)
    store.close()
    return taken


@pytest.mark.parametrize("service", STORIES)
def test_no_operation_costs_more_where_there_is_more(service):
    few, many = steps_of(service, FEW), steps_of(service, MANY)
    told = {name for of, name in OPERATIONS if of == service} - NOT_TOLD
    assert set(few) == set(many) == told
    grown = {
        name: (before, after)
        for name in few.keys() - OF_ALL
        for before, after in zip(few[name], many[name], strict=True)
        if after[0] > before[0] + 5 or after[1] > before[1] + 20
    }
    assert grown == {}


GROUPS_READ = [(table, group) for table in TABLES.values() for group in table.groups]


@pytest.mark.parametrize(("table", "group"), GROUPS_READ, ids=lambda one: getattr(one, "name", one))
def test_a_group_is_read_by_all_that_names_it(table, group):
    """By an index that has all of its fields: else all that share some of them are looked at."""
    if group in table.counted and table.groups[group] != table.key[: len(table.groups[group])]:
        return  # it is counted alone
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        statements, values = Statements(table), ("x",) * len(table.groups[group])
        for text, parameters in (
            statements.page(values, None, None, group),
            statements.page(values, ("y",) * len(table.key), 10, group),
            statements.count(values, group, 5),
        ):
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", parameters)]
            (search,) = [step for step in plan if step.startswith("SEARCH")]
            assert search.count("=?") == len(values), plan
            # Of a unique index there is one row at most, and nothing to sort.
            assert group == "by_claim" or not [one for one in plan if "TEMP B-TREE" in one], plan


def test_limits_that_groups_may_come_near_are_counted_by_their_rows():
    """A limit beyond a hundred would be counted at each change, if its group were not."""
    large = {("grants", "by_key"), ("iam_users", "by_account"), ("iam_roles", "by_account")}
    counted = {(table.name, group) for table in TABLES.values() for group in table.counted}
    assert large <= counted
