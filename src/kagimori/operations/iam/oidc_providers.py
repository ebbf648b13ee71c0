"""OpenID Connect providers: whose tokens AssumeRoleWithWebIdentity takes."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from kagimori.entities.identity_tables import OIDC_PROVIDERS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.identities import oidc_provider
from kagimori.operations.iam.answers import shown_tags
from kagimori.operations.iam.iam_operation import Answered, On
from kagimori.operations.iam.making import New, count_of, new_tags, one_more
from kagimori.operations.iam.tags import ListTags, Tag, Untag
from kagimori.operations.iam_action import IamOperation
from kagimori.operations.operation import Outcome, Withheld
from kagimori.ports import Delete, Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.identity import quotas
from kagimori.rules.identity.oidc_provider import (
    OidcProvider,
    check_thumbprints,
    oidc_arn,
    read_url,
)
from kagimori.rules.identity.refusals import EntityAlreadyExists, NoSuchEntity
from kagimori_boundary.commands import Command


class CreateOpenIDConnectProvider(IamOperation[New, None]):
    def look_up(self, asked: Asked) -> New:
        given = asked.call.input
        arn = oidc_arn(asked.partition, asked.caller.account_id, read_url(given.Url))
        tagging = (Need("iam:TagOpenIDConnectProvider", resource=arn),) if given.Tags else ()
        return New((self.need(arn), *tagging))

    def read(self, asked: Asked, facts: New) -> New:
        key = (asked.caller.account_id, read_url(asked.call.input.Url))
        return replace(
            facts,
            is_taken=asked.view.one(OIDC_PROVIDERS, key) is not None,
            count=count_of(asked, OIDC_PROVIDERS),
        )

    def ask(self, asked: Request, allowed: Allowed, facts: New) -> Command | None:
        _provider(asked)
        if facts.is_taken:
            raise EntityAlreadyExists(f"Provider with url {asked.call.input.Url} already exists.")
        return None

    def finish(self, asked: Request, facts: New, reply: None) -> Outcome:
        provider = _provider(asked)
        beside = one_more(
            asked.caller.account_id, OIDC_PROVIDERS, facts.count, quotas.OIDC_PROVIDERS
        )
        answer: dict[str, Any] = {"OpenIDConnectProviderArn": provider.arn}
        if provider.tags:
            answer["Tags"] = shown_tags(provider.tags)
        return Outcome(answer, (Put(OIDC_PROVIDERS, provider), beside), answer)


def _provider(asked: Request) -> OidcProvider:
    """Return the provider that is asked for.

    Raises:
        Refusal: its client ids, thumbprints or tags cannot be.
    """
    given = asked.call.input
    client_ids = tuple(dict.fromkeys(given.ClientIDList or ()))
    quotas.CLIENT_IDS.check(len(client_ids) - 1)
    return OidcProvider(
        partition=asked.partition,
        account_id=asked.caller.account_id,
        url=read_url(given.Url),
        created_at=asked.now,
        client_ids=client_ids,
        thumbprints=check_thumbprints(given.ThumbprintList),
        tags=new_tags(asked),
    )


class _OnProvider(IamOperation[On[OidcProvider], None]):
    def look_up(self, asked: Asked) -> On[OidcProvider] | Withheld:
        arn = asked.call.input.OpenIDConnectProviderArn
        provider = oidc_provider(asked.view, asked.caller.account_id, arn)
        need = self.need(arn, provider)
        if provider is None:
            message = f"OpenIDConnect Provider not found for arn {arn}"
            return Withheld((need,), refusal=NoSuchEntity(message))
        return On((need,), entity=provider)


class GetOpenIDConnectProvider(_OnProvider):
    read_only = True

    def finish(self, asked: Request, facts: On[OidcProvider], reply: None) -> Outcome:
        provider = facts.entity
        answer = {
            "Url": provider.url,
            "ClientIDList": list(provider.client_ids),
            "ThumbprintList": list(provider.thumbprints),
            "CreateDate": provider.created_at,
            "Tags": shown_tags(provider.tags),
        }
        return Outcome(answer)


class ListOpenIDConnectProviders(IamOperation[Answered, None]):
    read_only = True

    def look_up(self, asked: Asked) -> Answered:
        return Answered((self.need(oidc_arn(asked.partition, asked.caller.account_id, "*")),))

    def read(self, asked: Asked, facts: Answered) -> Answered:
        listed: Sequence[OidcProvider] = asked.view.group(
            OIDC_PROVIDERS, "by_account", (asked.caller.account_id,)
        )
        answer = {"OpenIDConnectProviderList": [{"Arn": one.arn} for one in listed]}
        return Answered(facts.needs, answer=answer)

    def finish(self, asked: Request, facts: Answered, reply: None) -> Outcome:
        return Outcome(facts.answer)


class DeleteOpenIDConnectProvider(IamOperation[On[OidcProvider | None], None]):
    """Deletes a provider; an absent one is no failure (IAM API Reference)."""

    def look_up(self, asked: Asked) -> On[OidcProvider | None]:
        arn = asked.call.input.OpenIDConnectProviderArn
        provider = oidc_provider(asked.view, asked.caller.account_id, arn)
        return On((self.need(arn, provider),), entity=provider)

    def finish(self, asked: Request, facts: On[OidcProvider | None], reply: None) -> Outcome:
        provider = facts.entity
        return Outcome(writes=() if provider is None else (Delete(OIDC_PROVIDERS, provider),))


class AddClientIDToOpenIDConnectProvider(_OnProvider):
    """Adds a client id; adding it again is no failure."""

    def ask(self, asked: Request, allowed: Allowed, facts: On[OidcProvider]) -> Command | None:
        if asked.call.input.ClientID not in facts.entity.client_ids:
            quotas.CLIENT_IDS.check(len(facts.entity.client_ids))
        return None

    def finish(self, asked: Request, facts: On[OidcProvider], reply: None) -> Outcome:
        provider, client_id = facts.entity, asked.call.input.ClientID
        if client_id in provider.client_ids:
            return Outcome()
        return _put(provider, client_ids=(*provider.client_ids, client_id))


class RemoveClientIDFromOpenIDConnectProvider(_OnProvider):
    """Removes a client id; an absent one is no failure."""

    def finish(self, asked: Request, facts: On[OidcProvider], reply: None) -> Outcome:
        provider, client_id = facts.entity, asked.call.input.ClientID
        if client_id not in provider.client_ids:
            return Outcome()
        rest = tuple(one for one in provider.client_ids if one != client_id)
        return _put(provider, client_ids=rest)


class UpdateOpenIDConnectProviderThumbprint(_OnProvider):
    def finish(self, asked: Request, facts: On[OidcProvider], reply: None) -> Outcome:
        thumbprints = check_thumbprints(asked.call.input.ThumbprintList)
        return _put(facts.entity, thumbprints=thumbprints)


def _put(provider: OidcProvider, **fields: Any) -> Outcome:
    return Outcome(writes=(Put(OIDC_PROVIDERS, changed(provider, **fields), provider),))


class TagOpenIDConnectProvider(Tag[OidcProvider], _OnProvider):
    table = OIDC_PROVIDERS


class UntagOpenIDConnectProvider(Untag[OidcProvider], _OnProvider):
    table = OIDC_PROVIDERS


class ListOpenIDConnectProviderTags(ListTags[OidcProvider], _OnProvider):
    pass
