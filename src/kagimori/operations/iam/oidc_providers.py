"""OpenID Connect providers: whose tokens AssumeRoleWithWebIdentity takes."""

from typing import Any

from kagimori.entities.identity_tables import OIDC_PROVIDERS
from kagimori.gate.asked import Asked, Need
from kagimori.gate.identities import oidc_provider
from kagimori.operations.iam.answers import shown_tags
from kagimori.operations.iam.iam_operation import Found, Room, room
from kagimori.operations.iam.tags import ListTags, Tag, Untag
from kagimori.operations.iam_action import IamOperation
from kagimori.operations.operation import Outcome
from kagimori.ports import Delete, Put
from kagimori.rules.entity import changed
from kagimori.rules.identity import quotas
from kagimori.rules.identity.oidc_provider import (
    OidcProvider,
    check_thumbprints,
    oidc_arn,
    read_url,
)
from kagimori.rules.identity.refusals import EntityAlreadyExists, NoSuchEntity
from kagimori.rules.identity.tags import read_tags, with_tags
from kagimori_boundary.commands import Command


class NewProvider(Found):
    """`entity` is a provider of this URL there already."""

    space: Room | None = None
    made: OidcProvider | None = None


class CreateOpenIDConnectProvider(IamOperation):
    def look_up(self, asked: Asked) -> NewProvider:
        given, account_id = asked.call.input, asked.caller.account_id
        url = read_url(given.Url)
        arn = oidc_arn(asked.partition, account_id, url)
        tagging = (Need("iam:TagOpenIDConnectProvider", resource=arn),) if given.Tags else ()
        facts = NewProvider((self.need(arn), *tagging))
        facts.entity = asked.view.one(OIDC_PROVIDERS, (account_id, url))
        facts.space = room(asked, OIDC_PROVIDERS)
        return facts

    def ask(self, asked: Asked, facts: NewProvider) -> Command | None:
        given = asked.call.input
        client_ids = tuple(dict.fromkeys(given.ClientIDList or ()))
        quotas.CLIENT_IDS.check(len(client_ids) - 1)
        facts.made = OidcProvider(
            partition=asked.partition,
            account_id=asked.caller.account_id,
            url=read_url(given.Url),
            created_at=asked.now,
            client_ids=client_ids,
            thumbprints=check_thumbprints(given.ThumbprintList),
            tags=with_tags({}, read_tags(given.Tags)),
        )
        if facts.entity is not None:
            raise EntityAlreadyExists(f"Provider with url {given.Url} already exists.")
        return None

    def finish(self, asked: Asked, facts: NewProvider, reply: Any) -> Outcome:
        provider = facts.made
        if provider is None:
            raise TypeError("asked before it is finished")
        beside = () if facts.space is None else (facts.space.for_one(quotas.OIDC_PROVIDERS),)
        answer: dict[str, Any] = {"OpenIDConnectProviderArn": provider.arn}
        if provider.tags:
            answer["Tags"] = shown_tags(provider.tags)
        return Outcome(answer, (Put(OIDC_PROVIDERS, provider), *beside), answer)


class _OnProvider(IamOperation):
    def look_up(self, asked: Asked) -> Found:
        arn = asked.call.input.OpenIDConnectProviderArn
        provider = oidc_provider(asked.view, asked.caller.account_id, arn)
        return Found((self.need(arn, provider),), entity=provider)

    def ask(self, asked: Asked, facts: Found) -> Command | None:
        if facts.entity is None:
            arn = asked.call.input.OpenIDConnectProviderArn
            raise NoSuchEntity(f"OpenIDConnect Provider not found for arn {arn}")
        return None


class GetOpenIDConnectProvider(_OnProvider):
    read_only = True

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        provider = facts.entity
        answer = {
            "Url": provider.url,
            "ClientIDList": list(provider.client_ids),
            "ThumbprintList": list(provider.thumbprints),
            "CreateDate": provider.created_at,
            "Tags": shown_tags(provider.tags),
        }
        return Outcome(answer)


class ListOpenIDConnectProviders(IamOperation):
    read_only = True

    def look_up(self, asked: Asked) -> Found:
        account_id = asked.caller.account_id
        listed = asked.view.group(OIDC_PROVIDERS, "by_account", (account_id,))
        return Found((self.need(oidc_arn(asked.partition, account_id, "*")),), more=listed)

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        return Outcome({"OpenIDConnectProviderList": [{"Arn": one.arn} for one in facts.more]})


class DeleteOpenIDConnectProvider(_OnProvider):
    """Deleting what is not there is no failure (IAM API Reference)."""

    def ask(self, asked: Asked, facts: Found) -> Command | None:
        return None

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        return Outcome(
            writes=() if facts.entity is None else (Delete(OIDC_PROVIDERS, facts.entity),)
        )


class AddClientIDToOpenIDConnectProvider(_OnProvider):
    """Adding what is there already is no failure."""

    def ask(self, asked: Asked, facts: Found) -> Command | None:
        super().ask(asked, facts)
        if asked.call.input.ClientID not in facts.entity.client_ids:
            quotas.CLIENT_IDS.check(len(facts.entity.client_ids))
        return None

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        provider, client_id = facts.entity, asked.call.input.ClientID
        if client_id in provider.client_ids:
            return Outcome()
        return _put(provider, client_ids=(*provider.client_ids, client_id))


class RemoveClientIDFromOpenIDConnectProvider(_OnProvider):
    """Removing what is not there is no failure."""

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        provider, client_id = facts.entity, asked.call.input.ClientID
        if client_id not in provider.client_ids:
            return Outcome()
        rest = tuple(one for one in provider.client_ids if one != client_id)
        return _put(provider, client_ids=rest)


class UpdateOpenIDConnectProviderThumbprint(_OnProvider):
    def ask(self, asked: Asked, facts: Found) -> Command | None:
        super().ask(asked, facts)
        facts.more = check_thumbprints(asked.call.input.ThumbprintList)
        return None

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        return _put(facts.entity, thumbprints=facts.more)


def _put(provider: OidcProvider, **fields: Any) -> Outcome:
    return Outcome(writes=(Put(OIDC_PROVIDERS, changed(provider, **fields), provider),))


class TagOpenIDConnectProvider(Tag, _OnProvider):
    table = OIDC_PROVIDERS


class UntagOpenIDConnectProvider(Untag, _OnProvider):
    table = OIDC_PROVIDERS


class ListOpenIDConnectProviderTags(ListTags, _OnProvider):
    pass
