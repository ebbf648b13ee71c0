"""DescribeKey, which also makes the AWS managed key that a predefined alias stands for."""

from kagimori.entities.tables import ALIASES
from kagimori.gate.asked import Asked, Need, Request
from kagimori.operations.kms.new_keys import generate, with_material
from kagimori.operations.kms.on_key import AboutKey, KeyFacts
from kagimori.operations.operation import Outcome
from kagimori.ports import Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.keys.kms_key import Alias, KmsKey
from kagimori.rules.keys.managed import managed_key, service_of
from kagimori.rules.keys.metadata import key_metadata
from kagimori.rules.names import parse_key_ref
from kagimori_boundary.commands import Command
from kagimori_boundary.replies import NewKey


class Described(KeyFacts):
    """`made_for` is the alias name of a managed key that this request makes."""

    made_for: str | None = None


class DescribeKey(AboutKey[Described, NewKey | None]):
    read_only = True
    aliases = True

    def look_up(self, asked: Asked) -> Described:
        caller, region = asked.caller, asked.call.region
        text = asked.call.input.KeyId
        ref = parse_key_ref(text, account_id=caller.account_id, region=region)
        service = service_of(ref.alias_name)
        if service is None or ref.account_id != caller.account_id or not caller.account_id:
            return self._there(asked)  # a service has no account to make it in
        if asked.view.one(ALIASES, (ref.account_id, region, ref.alias_name or "")) is not None:
            return self._there(asked)
        planned = managed_key(
            account_id=caller.account_id,
            region=region,
            key_id=asked.draw(),
            service=service,
            now=asked.now,
        )
        need = Need("kms:DescribeKey", planned, alias_name=ref.alias_name)
        return Described((need,), kms_key=planned, made_for=ref.alias_name)

    def _there(self, asked: Asked) -> Described:
        found = self.found(asked)
        return Described(found.needs, kms_key=found.kms_key)

    def ask(self, asked: Request, allowed: Allowed, facts: Described) -> Command | None:
        if facts.made_for is not None:
            return generate(facts.kms_key)
        return super().ask(asked, allowed, facts)

    def finish(self, asked: Request, facts: Described, reply: NewKey | None) -> Outcome:
        if facts.made_for is None or reply is None:
            return Outcome({"KeyMetadata": key_metadata(facts.kms_key)})
        kms_key, writes = with_material(facts.kms_key, reply, asked.now)
        alias = _alias(kms_key, facts.made_for, asked.now)
        return Outcome({"KeyMetadata": key_metadata(kms_key)}, (*writes, Put(ALIASES, alias)))


def _alias(kms_key: KmsKey, alias_name: str, now: float) -> Alias:
    return Alias(
        account_id=kms_key.account_id,
        region=kms_key.region,
        alias_name=alias_name,
        target_key_id=kms_key.key_id,
        created_at=now,
        updated_at=now,
    )
