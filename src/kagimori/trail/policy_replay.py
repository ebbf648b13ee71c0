"""A proposed key policy, tried on the requests that the audit trail has recorded.

Identities, grants and the key are as they are now; nothing is changed, and no server is needed.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from kagimori.deployment.folder import Layout, Unusable
from kagimori.deployment.opened import opened
from kagimori.entities.identity_tables import USERS
from kagimori.entities.tables import ALIASES, KMS_KEYS, TABLES
from kagimori.gate.asked import Need, Settings
from kagimori.gate.callers import Callers
from kagimori.gate.conditions.recorded_values import RecordedValues, recorded_asked, values_of
from kagimori.gate.grants_of_key import GrantsOfKey
from kagimori.gate.identities import UnknownPrincipal, check_accounts, pins_of
from kagimori.machinery.store.admin import StoreUnusable
from kagimori.machinery.store.still_view import StillView
from kagimori.rules.authorization.authorize import KeyRules, decide
from kagimori.rules.authorization.decision import IdentityRules
from kagimori.rules.authorization.replay import (
    Bounds,
    Change,
    Replayed,
    Tally,
    change_of,
    reason,
)
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.aws_managed import administrator_access
from kagimori.rules.identity.caller import Caller, acting_for, service_caller
from kagimori.rules.identity.service import SUFFIX
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.partitions import partition_of
from kagimori.rules.policy.document import Kind, parse_policy
from kagimori.rules.policy.evaluate import CompiledPolicy, compile_policy
from kagimori.rules.policy.favourable import favourable
from kagimori.rules.policy.question import Question
from kagimori.rules.records.filter import RecordFilter
from kagimori.rules.records.recorded_call import UNDECIDED, WITHOUT_KEY_POLICY, Asking, askings
from kagimori.rules.records.recorded_session import (
    MAKERS,
    SESSION_SECONDS_MAX,
    Made,
    Recorded,
    recorded,
    session_made,
)
from kagimori.rules.refusal import (
    InvalidArnException,
    MalformedPolicyDocumentException,
    NotFoundException,
    Refusal,
)
from kagimori.trail.search import matching
from kagimori.trail.verification import audit_folder

SESSION_POLICIES: Final = "session policies"
_DENIED: Final = "AccessDenied"
_FOREIGN_WHY: Final = "requests of other accounts are tried for operators of the deployment alone"


def try_policy(data: Path, key: str, policy: str, since: float | None) -> Tally:
    """Return the changes that a key policy (JSON text) would make; `key` is an id, ARN or alias.

    Raises:
        Unusable: no deployment, no such key, a policy that could not be set, or a trail or store
            that cannot be read.
    """
    try:
        return replay(data, key, policy, since).tally
    except MalformedPolicyDocumentException as refusal:
        raise Unusable(f"the policy would be refused: {refusal.message}") from None
    except Refusal as refusal:
        raise Unusable(refusal.message or refusal.code) from None


def replay(
    data: Path, key: str, policy: str, since: float | None, *, visible_to: str | None = None
) -> Replayed:
    """Return the same with the key's ARN.

    Of callers of other accounts, and their policies, the account `visible_to` sees nothing but
    what its own trail has of them.

    Raises:
        NotFoundException: no such key; InvalidArnException: several.
        MalformedPolicyDocumentException: a policy that could not be set.
        Unusable: no deployment, or a trail or store that cannot be read.
    """
    with opened(data, read_only=True) as deployment:
        created_at = deployment.facts.created_at
    try:
        view = StillView(Layout(data).store, tuple(TABLES.values()))
        try:
            kms_key = _key_named(view, key)
            proposed = _compiled(view, kms_key, policy)
            settings = Settings(tracking_started_at=created_at)
            tally = _Replay(view, kms_key, proposed, settings, visible_to).run(
                audit_folder(data), since
            )
            return Replayed(kms_key.arn, tally)
        finally:
            view.close()
    except StoreUnusable as reason:
        raise Unusable(str(reason)) from None
    except OSError as problem:
        raise Unusable(f"{problem.filename} cannot be read: {problem.strerror}") from None


def _key_named(view: StillView, name: str) -> KmsKey:
    if name.startswith("alias/") or ":alias/" in name:
        account, region = "", ""
        if name.startswith("arn:"):
            _, _, _, region, account, name = name.split(":", 5)
        found = [
            view.one(KMS_KEYS, (alias.account_id, alias.region, alias.target_key_id))
            for alias in view.page(ALIASES, (), None, None)
            if alias.alias_name == name
            and account in {"", alias.account_id}
            and region in {"", alias.region}
        ]
    else:
        keys = view.page(KMS_KEYS, (), None, None)
        found = [one for one in keys if name in (one.key_id, one.arn)]
    if len(found) > 1:
        raise InvalidArnException(f"{name} names several keys: give the ARN of one")
    if not found or found[0] is None:
        raise NotFoundException(f"there is no key {name}")
    kms_key: KmsKey = found[0]
    return kms_key


def _compiled(view: StillView, kms_key: KmsKey, text: str) -> CompiledPolicy:
    try:
        partition = partition_of(kms_key.region).name
        document = parse_policy(text, Kind.KEY, partition=partition)
        check_accounts(view, document, partition)
        return compile_policy(document, pins=pins_of(view, document))
    except UnknownPrincipal as unknown:
        raise MalformedPolicyDocumentException(
            f"the policy names {unknown}, whom there is not"
        ) from None


class _Replay:
    """One policy, tried on one record after the other."""

    def __init__(
        self,
        view: StillView,
        kms_key: KmsKey,
        proposed: CompiledPolicy,
        settings: Settings,
        visible_to: str | None,
    ) -> None:
        self._view = view
        self._visible_to = visible_to
        self._key = kms_key
        self._policies = (kms_key.compiled_policy, proposed)
        self._settings = settings
        self._callers = Callers(view)
        self._made: dict[str, Made] = {}
        self._credentials: dict[str, Recorded | None] = {}
        self._favourable: dict[tuple[CompiledPolicy, frozenset[str]], CompiledPolicy] = {}
        self.tally = Tally()

    def run(self, audit: Path, since: float | None) -> Tally:
        """Try all records since a time (seconds since the epoch)."""
        for record in _session_records(audit, since):
            made = session_made(record, self._made)
            if made is not None:
                self._made[made[0]] = made[1]
        for _, _, line in matching(audit, RecordFilter(key=self._key.arn, since=since)):
            record = json.loads(line)
            if _is_decided(record) and self._is_visible(record):
                self.tally.request(record["eventTime"])
                self._try(record)
        return self.tally

    def _try(self, record: Mapping[str, Any]) -> None:
        identity = record["userIdentity"]
        if self._is_foreign(record):
            self._count_foreign(record, identity)
            return
        name = identity.get("arn") or identity.get("invokedBy", "?")
        credentials, caller = self._caller(identity)
        for asking in askings(record, self._key.arn):
            said = {"caller": name, "action": asking.action, "at": record["eventTime"]}
            if caller is None:
                why = "the caller does not exist any more"
                self.tally.add(Change.UNCERTAIN, why=why, **said)
                continue
            self._weigh(record, caller, credentials, asking, said)

    def _is_foreign(self, record: Mapping[str, Any]) -> bool:
        """Return whether the caller is of another account than the one that asks."""
        account_id = record["userIdentity"].get("accountId", self._visible_to)
        return self._visible_to is not None and account_id != self._visible_to

    def _count_foreign(self, record: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
        """Count a request of another account; how its policies decide is not this account's."""
        name, at = identity.get("accountId", "?"), record["eventTime"]
        for asking in askings(record, self._key.arn):
            self.tally.add(
                Change.UNCERTAIN, caller=name, action=asking.action, why=_FOREIGN_WHY, at=at
            )

    def _is_visible(self, record: Mapping[str, Any]) -> bool:
        """Return whether the record is in the trail of the account that asks."""
        return not self._is_foreign(record) or record.get("errorCode") != _DENIED

    def _weigh(
        self,
        record: Mapping[str, Any],
        caller: Caller,
        credentials: Recorded | None,
        asking: Asking,
        said: dict[str, str],
    ) -> None:
        asked = recorded_asked(record, caller, self._view, self._settings)
        need = Need(
            asking.action,
            self._key,
            encryption_context=asking.encryption_context,
            alias_name=asking.alias_name,
            proposed=asking.proposed,
            re_encrypts_on_same_key=asking.on_same_key,
        )
        values = values_of(asked, need, credentials)
        is_narrowed = credentials is not None and credentials.made is None
        rules = self._rules(caller, is_narrowed=is_narrowed)
        grants = GrantsOfKey(asked, self._key)
        bounds = [
            self._bounds(caller, rules, KeyRules(*self._named, policy, grants), need, values)
            for policy in self._policies
        ]
        now, then = (each.allows for each in bounds)
        change = change_of(record.get("errorCode") != _DENIED, now, then)
        unknown = sorted({*values.touched, *([SESSION_POLICIES] if is_narrowed else [])})
        why = reason(bounds[1].lower)
        if change is Change.UNCERTAIN:
            why = f"it depends on {', '.join(unknown)}"
        self.tally.add(change, why=why, unknown=tuple(unknown), **said)

    def _bounds(
        self,
        caller: Caller,
        rules: tuple[IdentityRules, IdentityRules],
        key_rules: KeyRules,
        need: Need,
        values: RecordedValues,
    ) -> Bounds:
        question = Question(
            need.action, key_rules.key_arn, values, need.encryption_context, caller.source_arn
        )
        principal, proposed = caller.principal, need.proposed
        lower = decide(principal, rules[0], key_rules, question, proposed=proposed)
        if lower.allowed or (not values.touched and rules[0] is rules[1]):
            return Bounds(lower, lower)
        helped = self._helped(key_rules.key_policy, values)
        best = KeyRules(*self._named, helped, key_rules.grants)
        upper = decide(
            principal, self._helped_rules(rules[1], values), best, question, proposed=proposed
        )
        return Bounds(lower, upper)

    def _rules(self, caller: Caller, *, is_narrowed: bool) -> tuple[IdentityRules, IdentityRules]:
        """Return the least and the most that the caller's account allows."""
        rules = caller.identity_rules
        if not is_narrowed:
            return rules, rules
        everything = (administrator_access().compiled,)
        return (
            IdentityRules(rules.identity_policies, rules.boundary, ()),
            IdentityRules(rules.identity_policies, rules.boundary, everything),
        )

    def _helped_rules(self, rules: IdentityRules, values: RecordedValues) -> IdentityRules:
        boundary, sessions = rules.boundary, rules.session_policies
        return IdentityRules(
            tuple(self._helped(policy, values) for policy in rules.identity_policies),
            None if boundary is None else self._helped(boundary, values),
            None if sessions is None else tuple(self._helped(one, values) for one in sessions),
        )

    def _helped(self, policy: CompiledPolicy, values: RecordedValues) -> CompiledPolicy:
        name = (policy, values.unrecorded_keys)
        if name not in self._favourable:
            self._favourable[name] = favourable(policy, values.is_unknown)
        return self._favourable[name]

    @property
    def _named(self) -> tuple[str, str]:
        return self._key.arn, self._key.account_id

    def _caller(self, identity: Mapping[str, Any]) -> tuple[Recorded | None, Caller | None]:
        """Return the recorded caller, with the credentials as far as they are known."""
        service = identity.get("invokedBy", "").removesuffix(f".{SUFFIX}")
        if identity.get("type") == "AWSService":
            key = AccessKey(access_key_id="", account_id="", sealed_secret=b"", created_at=0.0)
            return None, service_caller(key, service)
        access_key_id = identity.get("accessKeyId", "")
        if access_key_id not in self._credentials:
            name = self._user_name(identity)
            self._credentials[access_key_id] = recorded(identity, self._made, name)
        found = self._credentials[access_key_id]
        if found is None:
            return None, None
        if found.session is None:
            caller = self._callers.of_access_key(
                found.access_key, partition_of(self._key.region).name
            )
        else:
            caller = self._callers.of_session(access_key_id, found.session)
        if caller is not None and service:
            caller = acting_for(caller, service)
        return found, caller

    def _user_name(self, identity: Mapping[str, Any]) -> str | None:
        """Return the present name of a recorded user; one that nobody has if it is gone."""
        if identity.get("type") != "IAMUser":
            return None
        users = self._view.group(USERS, "by_id", (identity.get("principalId", ""),))
        return users[0].name if users else ""


def _session_records(audit: Path, since: float | None) -> Iterator[Mapping[str, Any]]:
    """Yield the records of requests that made sessions, oldest first."""
    earliest = None if since is None else since - SESSION_SECONDS_MAX
    for event in MAKERS:
        for _, _, line in matching(audit, RecordFilter(event=event, since=earliest)):
            record: dict[str, Any] = json.loads(line)
            yield record


def _is_decided(record: Mapping[str, Any]) -> bool:
    """Return whether a record is of a request that policies have decided."""
    return (
        record.get("eventType") == "AwsApiCall"
        and record.get("eventSource") == "kms.amazonaws.com"
        and record.get("eventName") not in WITHOUT_KEY_POLICY
        and record.get("errorCode") not in UNDECIDED
    )
