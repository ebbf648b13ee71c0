"""Refusals of IAM and STS: their codes differ from those of the JSON services.

Source: the `error` traits of the models of IAM (2010-05-08) and STS (2011-06-15); for codes that
no model lists, "Common errors" in the API references of IAM and STS.
"""

from kagimori.rules.refusal import Refusal

# --- protocol (no model lists these) -------------------------------------------------------------


class ValidationError(Refusal):
    pass


class MalformedInput(Refusal):
    """The form has a value of the wrong type, or contradictory field names."""


class MalformedQueryString(Refusal):
    pass


class InvalidAction(Refusal):
    pass


class InvalidParameterValue(Refusal):
    pass


# --- authentication and permission (no model lists these) ----------------------------------------


class IncompleteSignature(Refusal):
    pass


class SignatureDoesNotMatch(Refusal):
    status = 403


class InvalidClientTokenId(Refusal):
    status = 403


class MissingAuthenticationToken(Refusal):
    status = 403


class ExpiredToken(Refusal):
    status = 403


class AccessDenied(Refusal):
    status = 403


# --- IAM ------------------------------------------------------------------------------------------


class NoSuchEntity(Refusal):
    status = 404


class EntityAlreadyExists(Refusal):
    status = 409


class EntityTemporarilyUnmodifiable(Refusal):
    status = 409


class DeleteConflict(Refusal):
    status = 409


class LimitExceeded(Refusal):
    status = 409


class MalformedPolicyDocument(Refusal):
    pass


class InvalidInput(Refusal):
    pass


class PolicyEvaluation(Refusal):
    """A policy could not be evaluated; AWS counts this among failures of its own."""

    status = 500


class InvalidUserType(Refusal):
    pass


class UnmodifiableEntity(Refusal):
    pass


class PasswordPolicyViolation(Refusal):
    pass


class InvalidAuthenticationCode(Refusal):
    status = 403


class ServiceFailure(Refusal):
    status = 500


# --- STS ------------------------------------------------------------------------------------------


class PackedPolicyTooLarge(Refusal):
    pass


class InvalidIdentityToken(Refusal):
    pass


class ExpiredTokenException(Refusal):
    """A web identity token that has expired; for credentials the code is ExpiredToken."""


class IDPRejectedClaim(Refusal):
    status = 403


class RegionDisabledException(Refusal):
    status = 403


class InvalidAuthorizationMessageException(Refusal):
    pass


class Throttling(Refusal):
    """Too many requests."""
