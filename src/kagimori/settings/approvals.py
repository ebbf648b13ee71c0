"""Settings of requests that several operators must approve."""

from typing import Annotated

from kagimori.settings.about import About, Section


class Approvals(Section, frozen=True):
    """Dangerous actions, which several operators must approve."""

    refusal_hours: Annotated[
        float,
        About(
            "How long each operator can refuse a request before it can be performed, however many "
            "have approved it.",
            least=0,
            most=720,
        ),
    ] = 24.0
    valid_days: Annotated[
        float,
        About(
            "How long a request can be performed after that; then it is over.", least=0.01, most=90
        ),
    ] = 7.0
