"""Grants: made, retired, revoked."""

import re
from typing import Any, Final

from msgspec.structs import replace

from kagimori.entities.tables import GRANTS, KMS_KEYS
from kagimori.gate.across import key_across
from kagimori.gate.asked import Asked, Need, Request
from kagimori.operations.kms.cryptographic import check_dry_run
from kagimori.operations.kms.key_refs import key_named
from kagimori.operations.kms.on_key import KeyFacts
from kagimori.operations.operation import Operation, Outcome
from kagimori.operations.principals_written import new_party
from kagimori.ports import Delete, Expect, ExpectAtMost, Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.keys.grant import Grant, GrantTerms
from kagimori.rules.keys.grant_request import (
    GRANTS_PER_KEY_MAX,
    check_parties,
    check_terms,
    read_terms,
)
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.keys.states import check_state
from kagimori.rules.keys.stored_grant import (
    GrantRef,
    StoredGrant,
    claim_of,
    grant_token,
    read_grant_token,
)
from kagimori.rules.refusal import (
    AccessDeniedException,
    InvalidGrantIdException,
    LimitExceededException,
    NotFoundException,
    ValidationException,
)
from kagimori_boundary.commands import Command

_GRANT_ID: Final = re.compile(r"[0-9a-f]{64}")


class Granting(KeyFacts, kw_only=True):
    """The grant that is planned, and one that says the same and is there already.

    Its principals are as they are written, until they were read. `count` is how many grants the
    key has; `drawn` makes each grant token another.
    """

    planned: StoredGrant
    drawn: str
    existing: StoredGrant | None = None
    count: int = 0


class CreateGrant(Operation[Granting, None]):
    def look_up(self, asked: Asked) -> Granting:
        given = asked.call.input
        check_parties(given)
        terms = read_terms(given)
        kms_key, _ = key_named(asked, given.KeyId, aliases=False)
        context = _plain(terms.encryption_context_equals or terms.encryption_context_subset)
        need = Need("kms:CreateGrant", kms_key, encryption_context=context, proposed=terms)
        planned = self._plan(asked, kms_key, terms)
        return Granting((need,), kms_key=kms_key, planned=planned, drawn=asked.draw())

    def read(self, asked: Asked, facts: Granting) -> Granting:
        """Read facts about the key and about principals, now that the caller may know them."""
        kms_key, planned = facts.kms_key, facts.planned
        check_state(self.name, kms_key)
        check_terms(planned.terms, kms_key)
        grantee, retiring = planned.grantee, planned.retiring
        if not planned.grantee_is_service:
            grantee = new_party(asked, grantee)
        if retiring is not None and not planned.retiring_is_service:
            retiring = new_party(asked, retiring)
        planned = replace(planned, grantee=grantee, retiring=retiring).claimed()
        owner = (kms_key.account_id, kms_key.region, kms_key.key_id)
        existing = None
        if planned.name:
            named = asked.view.group(GRANTS, "by_name", (*owner, planned.name))
            existing = next((grant for grant in named if claim_of(grant) == planned.claim), None)
        count = asked.view.count(GRANTS, "by_key", owner)
        return replace(facts, planned=planned, existing=existing, count=count)

    def ask(self, asked: Request, allowed: Allowed, facts: Granting) -> Command | None:
        if facts.existing is None and facts.count >= GRANTS_PER_KEY_MAX:
            raise LimitExceededException(
                f"Grants per key quota is {GRANTS_PER_KEY_MAX}, current usage is {facts.count}."
            )
        check_dry_run(asked.call.input)
        return None

    def finish(self, asked: Request, facts: Granting, reply: None) -> Outcome:
        kms_key = facts.kms_key
        grant = facts.existing or facts.planned
        ref = GrantRef(grant.account_id, grant.region, grant.key_id, grant.grant_id, facts.drawn)
        owner = (kms_key.account_id, kms_key.region, kms_key.key_id)
        room = ExpectAtMost(GRANTS, "by_key", owner, GRANTS_PER_KEY_MAX)
        writes = () if facts.existing else (Expect(KMS_KEYS, kms_key), Put(GRANTS, grant), room)
        return Outcome(
            {"GrantToken": grant_token(ref), "GrantId": grant.grant_id},
            writes,
            response_elements={"grantId": grant.grant_id, "keyId": kms_key.arn},
        )

    @staticmethod
    def _plan(asked: Asked, kms_key: KmsKey, terms: GrantTerms) -> StoredGrant:
        given = asked.call.input
        service, retiring_service = given.GranteeServicePrincipal, given.RetiringServicePrincipal
        retiring = given.RetiringPrincipal
        return StoredGrant(
            account_id=kms_key.account_id,
            region=kms_key.region,
            key_id=kms_key.key_id,
            grant_id=(asked.draw() + asked.draw()).replace("-", ""),
            created_at=asked.now,
            name=given.Name or "",
            grantee=service or given.GranteePrincipal,
            grantee_shown=service or given.GranteePrincipal,
            grantee_is_service=service is not None,
            retiring=retiring_service or retiring,
            retiring_shown=retiring_service or retiring,
            retiring_is_service=retiring_service is not None,
            issuing_account=asked.caller.account_id,
            operations=tuple(given.Operations),
            encryption_context_equals=_plain(terms.encryption_context_equals),
            encryption_context_subset=_plain(terms.encryption_context_subset),
            source_arn=terms.source_arn,
        )


class OneGrant(KeyFacts):
    """The grant that is named, None if there is none."""

    grant: StoredGrant | None = None


class RevokeGrant(Operation[OneGrant, None]):
    def look_up(self, asked: Asked) -> OneGrant:
        given = asked.call.input
        check_grant_id(given.GrantId)
        kms_key, _ = key_named(asked, given.KeyId, aliases=False)
        grant = _grant(asked, kms_key, given.GrantId)
        return OneGrant((Need("kms:RevokeGrant", kms_key),), kms_key=kms_key, grant=grant)

    def ask(self, asked: Request, allowed: Allowed, facts: OneGrant) -> Command | None:
        check_state(self.name, facts.kms_key)
        if facts.grant is None:
            raise NotFoundException(f"Grant ID {asked.call.input.GrantId} is not found.")
        check_dry_run(asked.call.input)
        return None

    def finish(self, asked: Request, facts: OneGrant, reply: None) -> Outcome:
        return Outcome(writes=(Delete(GRANTS, facts.grant),))


class Retiring(KeyFacts, kw_only=True):
    """The grant that is to be retired; None if it would be another account's and is not there."""

    grant: StoredGrant | None


class RetireGrant(Operation[Retiring, None]):
    def look_up(self, asked: Asked) -> Retiring:
        given = asked.call.input
        if given.GrantToken is not None:
            ref = read_grant_token(given.GrantToken)
            kms_key = None
            if ref.region == asked.call.region:
                kms_key = key_across(asked, ref.account_id, ref.region, ref.key_id)
            if kms_key is None:
                raise NotFoundException("The grant that the token names is not found.")
            grant = _grant(asked, kms_key, ref.grant_id)
        elif given.KeyId is not None and given.GrantId is not None:
            check_grant_id(given.GrantId)
            kms_key, _ = key_named(asked, given.KeyId, aliases=False)
            grant = _grant(asked, kms_key, given.GrantId)
        else:
            raise ValidationException("Specify a grant token, or a key ID and a grant ID.")
        if grant is None and kms_key.account_id == asked.caller.account_id:
            raise NotFoundException("The grant is not found.")
        if grant is None:  # of another account, which gets no more than a denial
            retires = Grant("", kms_key.arn, "", GrantTerms(frozenset()), "")
            need = Need("kms:RetireGrant", kms_key, retires=retires)
            return Retiring((need,), kms_key=kms_key, grant=None)
        context = grant.encryption_context_equals or grant.encryption_context_subset
        need = Need("kms:RetireGrant", kms_key, encryption_context=context, retires=grant.grant)
        return Retiring((need,), kms_key=kms_key, grant=grant)

    def ask(self, asked: Request, allowed: Allowed, facts: Retiring) -> Command | None:
        check_state(self.name, facts.kms_key)
        if facts.grant is None:  # nobody is allowed to retire it
            raise AccessDeniedException
        check_dry_run(asked.call.input)
        return None

    def finish(self, asked: Request, facts: Retiring, reply: None) -> Outcome:
        if facts.grant is None:
            raise AccessDeniedException
        writes = (Delete(GRANTS, facts.grant),)
        return Outcome(writes=writes, additional={"grantId": facts.grant.grant_id})


def check_grant_id(grant_id: str) -> None:
    """Check that this can be a grant's id.

    Raises:
        InvalidGrantIdException: it is not 64 hex digits.
    """
    if not _GRANT_ID.fullmatch(grant_id):
        raise InvalidGrantIdException(f"{grant_id} is not a valid grant ID.")


def _grant(asked: Asked, kms_key: KmsKey, grant_id: str) -> StoredGrant | None:
    key = (kms_key.account_id, kms_key.region, kms_key.key_id, grant_id)
    found: StoredGrant | None = asked.view.one(GRANTS, key)
    return found


def _plain(pairs: Any) -> dict[str, str] | None:
    return None if pairs is None else dict(pairs)
