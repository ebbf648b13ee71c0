"""Grants, listed: those of a key, and those that somebody may retire."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from kagimori.entities.tables import GRANTS
from kagimori.gate.across import retirable_grants, retiring_written
from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.identities import shown_as
from kagimori.operations.kms.grants import check_grant_id
from kagimori.operations.kms.key_refs import key_named
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.operations.pages import limit_of, page_of, start_of
from kagimori.operations.principals_written import listed_party
from kagimori.rules.keys.stored_grant import Party, StoredGrant, parties_of, shown_grant
from kagimori.rules.refusal import ValidationException


class Listed(Facts):
    """A page of grants, and one more if there is more; what each principal is shown as now."""

    grants: Sequence[StoredGrant] = ()
    renamed: Mapping[Party, str] = {}


class _GrantList(Operation[Listed, None]):
    read_only = True

    def finish(self, asked: Request, facts: Listed, reply: None) -> Outcome:
        return Outcome(
            page_of(
                facts.grants,
                self._limit(asked),
                *self._scope(asked),
                name="Grants",
                shown=lambda grant: shown_grant(grant, facts.renamed),
                key=self._key,
            )
        )

    def read(self, asked: Asked, facts: Listed) -> Listed:
        """Read who the principals are now: one that was deleted is shown by its unique id."""
        parties = dict.fromkeys(party for grant in facts.grants for party in parties_of(grant))
        principals = asked.view.principals
        renamed = {(arn, pin): shown_as(principals, arn, pin) for arn, pin in parties}
        return replace(facts, renamed=renamed)

    def _limit(self, asked: Request) -> int:
        return limit_of(asked.call.input.Limit, default=50, most=100)

    @abstractmethod
    def _scope(self, asked: Request) -> tuple[str, ...]:
        """Return the values that a page's marker is bound to."""

    @staticmethod
    @abstractmethod
    def _key(grant: StoredGrant) -> Sequence[str]:
        """Return the place of a grant in the order of the listing."""


class ListGrants(_GrantList):
    def look_up(self, asked: Asked) -> Listed:
        given = asked.call.input
        if given.GrantId is not None:
            check_grant_id(given.GrantId)
        kms_key, _ = key_named(asked, given.KeyId, aliases=False)
        owner = (kms_key.account_id, kms_key.region, kms_key.key_id)
        after = start_of(given.Marker, *self._scope(asked))
        limit = self._limit(asked) + 1
        grantee = given.GranteeServicePrincipal
        if given.GranteePrincipal is not None:
            grantee = listed_party(asked, given.GranteePrincipal)
        grants: Sequence[StoredGrant]
        if given.GrantId is not None:
            grant = asked.view.one(GRANTS, (*owner, given.GrantId))
            fits = grant is not None and grantee in (None, grant.grantee)
            grants = [grant] if fits else []
        elif grantee is not None:
            grants = asked.view.page(GRANTS, (*owner, grantee), after, limit, "by_grantee")
        else:
            grants = asked.view.page(GRANTS, owner, after, limit)
        return Listed((Need("kms:ListGrants", kms_key),), grants=grants)

    def _scope(self, asked: Request) -> tuple[str, ...]:
        given = asked.call.input
        filters = (given.GrantId, given.GranteePrincipal, given.GranteeServicePrincipal)
        return (self.name, given.KeyId, *(text or "" for text in filters))

    @staticmethod
    def _key(grant: StoredGrant) -> Sequence[str]:
        return [grant.grant_id]


class ListRetirableGrants(_GrantList):
    def look_up(self, asked: Asked) -> Listed:
        given = asked.call.input
        if (given.RetiringPrincipal is None) == (given.RetiringServicePrincipal is None):
            raise ValidationException(
                "Specify exactly one of RetiringPrincipal and RetiringServicePrincipal."
            )
        resource = retiring_written(asked)
        retiring = given.RetiringServicePrincipal or listed_party(asked, resource)
        after = start_of(given.Marker, *self._scope(asked), parts=3)
        grants = retirable_grants(asked, retiring, after, self._limit(asked) + 1)
        return Listed((Need("kms:ListRetirableGrants", resource=resource),), grants=grants)

    def _scope(self, asked: Request) -> tuple[str, ...]:
        return (self.name, retiring_written(asked))

    @staticmethod
    def _key(grant: StoredGrant) -> Sequence[str]:
        return [grant.account_id, grant.key_id, grant.grant_id]
