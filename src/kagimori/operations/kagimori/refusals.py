"""The admin service's own refusals, beside those that all services have."""

from kagimori.rules.refusal import Refusal


class ResourceNotFoundException(Refusal):
    pass
