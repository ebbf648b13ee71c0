"""Tags of KMS keys."""

from kagimori.entities.tables import KMS_KEYS
from kagimori.gate.asked import Request
from kagimori.operations.kms.on_key import KeyFacts, OnKey
from kagimori.operations.operation import Outcome
from kagimori.operations.pages import limit_of, page_of, start_of
from kagimori.ports import Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.keys.tags import check_tag_key, read_tags, with_tags, without_tags
from kagimori_boundary.commands import Command


class TagResource(OnKey[None]):
    def finish(self, asked: Request, facts: KeyFacts, reply: None) -> Outcome:
        kms_key = facts.kms_key
        tags = with_tags(kms_key.tags, read_tags(asked.call.input.Tags))
        return _retagged(kms_key, tags)


class UntagResource(OnKey[None]):
    def ask(self, asked: Request, allowed: Allowed, facts: KeyFacts) -> Command | None:
        for key in asked.call.input.TagKeys:
            check_tag_key(key)
        return super().ask(asked, allowed, facts)

    def finish(self, asked: Request, facts: KeyFacts, reply: None) -> Outcome:
        kms_key = facts.kms_key
        return _retagged(kms_key, without_tags(kms_key.tags, asked.call.input.TagKeys))


class ListResourceTags(OnKey[None]):
    read_only = True

    def finish(self, asked: Request, facts: KeyFacts, reply: None) -> Outcome:
        given, kms_key = asked.call.input, facts.kms_key
        limit = limit_of(given.Limit, default=50, most=50)
        scope = (self.name, kms_key.arn)
        after = start_of(given.Marker, *scope) or ("",)
        tags = [(key, value) for key, value in sorted(kms_key.tags.items()) if key > after[0]]
        return Outcome(
            page_of(
                tags,
                limit,
                *scope,
                name="Tags",
                shown=lambda tag: {"TagKey": tag[0], "TagValue": tag[1]},
                key=lambda tag: [tag[0]],
            )
        )


def _retagged(kms_key: KmsKey, tags: dict[str, str]) -> Outcome:
    put = Put(KMS_KEYS, changed(kms_key, tags=tags), kms_key)
    writes = () if tags == kms_key.tags else (put,)
    return Outcome(writes=writes, response_elements={"keyId": kms_key.arn})
