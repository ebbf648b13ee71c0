"""Keys and their life: create, describe, list, enable, disable, delete."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from kagimori.entities.tables import KMS_KEYS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.operations.kms.guarded import check_unused
from kagimori.operations.kms.held_outside import lost_in_store
from kagimori.operations.kms.on_key import KeyFacts, OnKey
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.operations.pages import limit_of, page_of, start_of
from kagimori.ports import Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.keys.deletion import (
    WINDOW_DAYS_DEFAULT,
    check_window,
    scheduled_for_deletion,
)
from kagimori.rules.keys.kms_key import CLOUDHSM, KmsKey
from kagimori.rules.keys.states import KeyState, check_state
from kagimori.rules.refusal import NotFoundException
from kagimori_boundary.commands import Command


class ListedKeys(Facts):
    """A page of keys, and one more if there is more."""

    keys: Sequence[KmsKey] = ()


class ListKeys(Operation[ListedKeys, None]):
    read_only = True

    def look_up(self, asked: Asked) -> ListedKeys:
        given, scope = asked.call.input, self._scope(asked)
        limit = limit_of(given.Limit, default=100, most=1000)
        after = start_of(given.Marker, *scope)
        if given.ResourceOwners is not None and "SELF" not in given.ResourceOwners:
            return ListedKeys((Need("kms:ListKeys"),))  # no key is shared into an account here
        owner = (asked.caller.account_id, asked.call.region)
        keys = asked.view.page(KMS_KEYS, owner, after and (*owner, *after), limit + 1)
        return ListedKeys((Need("kms:ListKeys"),), keys=keys)

    def finish(self, asked: Request, facts: ListedKeys, reply: None) -> Outcome:
        limit = limit_of(asked.call.input.Limit, default=100, most=1000)
        page = page_of(
            facts.keys,
            limit,
            *self._scope(asked),
            name="Keys",
            shown=lambda key: {"KeyId": key.key_id, "KeyArn": key.arn},
            key=lambda key: [key.key_id],
        )
        return Outcome(page)

    def _scope(self, asked: Request) -> tuple[str, ...]:
        return (self.name, *(asked.call.input.ResourceOwners or ["SELF"]))


class _Change(OnKey[None]):
    """A change of one key that answers nothing."""

    def finish(self, asked: Request, facts: KeyFacts, reply: None) -> Outcome:
        kms_key: KmsKey = facts.kms_key
        after = self.after(asked, kms_key)
        writes = () if after is kms_key else (Put(KMS_KEYS, after, kms_key),)
        return Outcome(writes=writes, response_elements=self.response_elements(kms_key))

    @abstractmethod
    def after(self, asked: Request, kms_key: KmsKey) -> KmsKey:
        """Return the key as it is afterwards."""

    def response_elements(self, kms_key: KmsKey) -> dict[str, Any] | None:
        return {"keyId": kms_key.arn}


class EnableKey(_Change):
    def after(self, asked: Request, kms_key: KmsKey) -> KmsKey:
        if kms_key.state is not KeyState.DISABLED:
            return kms_key
        return changed(kms_key, state=KeyState.ENABLED)


class DisableKey(_Change):
    def read(self, asked: Asked, facts: KeyFacts) -> KeyFacts:
        check_state(self.name, facts.kms_key)
        if facts.kms_key.state is KeyState.ENABLED:
            check_unused(asked, facts.kms_key)
        return facts

    def after(self, asked: Request, kms_key: KmsKey) -> KmsKey:
        if kms_key.state is not KeyState.ENABLED:
            return kms_key
        return changed(kms_key, state=KeyState.DISABLED)


class UpdateKeyDescription(_Change):
    def after(self, asked: Request, kms_key: KmsKey) -> KmsKey:
        return changed(kms_key, description=asked.call.input.Description)

    def response_elements(self, kms_key: KmsKey) -> dict[str, Any] | None:
        return None


class ScheduleKeyDeletion(OnKey[None]):
    def read(self, asked: Asked, facts: KeyFacts) -> KeyFacts:
        check_window(asked.call.input.PendingWindowInDays)
        check_state(self.name, facts.kms_key)
        check_unused(asked, facts.kms_key)
        return facts

    def finish(self, asked: Request, facts: KeyFacts, reply: None) -> Outcome:
        kms_key: KmsKey = facts.kms_key
        days = asked.call.input.PendingWindowInDays or WINDOW_DAYS_DEFAULT
        waits = bool(kms_key.replica_regions) and not kms_key.is_replica
        after = scheduled_for_deletion(kms_key, asked.now, days, waits_for_replicas=waits)
        answer: dict[str, Any] = {
            "KeyId": kms_key.arn,
            "KeyState": after.state.value,
            "PendingWindowInDays": days,
        }
        if after.deletion_at is not None:
            answer["DeletionDate"] = after.deletion_at
        return Outcome(
            answer,
            (Put(KMS_KEYS, after, kms_key),),
            response_elements=answer,
            additional=lost_in_store(kms_key),
        )


class CancelKeyDeletion(OnKey[None]):
    def ask(self, asked: Request, allowed: Allowed, facts: KeyFacts) -> Command | None:
        kms_key = facts.kms_key
        due = kms_key.deletion_at
        if kms_key.origin == CLOUDHSM and due is not None and due <= asked.now:
            # Its key in the cluster is being destroyed, or was, and nothing brings that back.
            raise NotFoundException(f"Key '{kms_key.arn}' does not exist")
        return super().ask(asked, allowed, facts)

    def finish(self, asked: Request, facts: KeyFacts, reply: None) -> Outcome:
        kms_key: KmsKey = facts.kms_key
        state = KeyState.DISABLED if kms_key.has_all_material else KeyState.PENDING_IMPORT
        after = changed(kms_key, state=state, deletion_at=None, pending_window_days=None)
        answer = {"KeyId": kms_key.arn}
        return Outcome(answer, (Put(KMS_KEYS, after, kms_key),), response_elements=answer)
