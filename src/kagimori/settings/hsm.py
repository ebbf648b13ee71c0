"""Settings of the HSM and of its domain keys."""

from typing import Annotated

from kagimori.settings.about import About, Section


class Hsm(Section, frozen=True):
    """Limits of the HSM."""

    answer_seconds: Annotated[
        float, About("For the answer to a command; then the request fails.", least=1)
    ] = 30.0
    slow_answer_seconds: Annotated[
        float, About("For the answer to slow work, which waits for its turn.", least=1)
    ] = 90.0
    in_flight: Annotated[
        int,
        About(
            "Commands of one worker that the HSM has not answered, at most; requests that need "
            "one more are throttled.",
            least=1,
        ),
    ] = 2048
    silent_seconds: Annotated[
        float, About("An HSM that answers nothing for longer is replaced.", least=1)
    ] = 10.0


class DomainKeys(Section, frozen=True):
    """The keys that wrap all stored keys and secrets, one ring of them for each region."""

    rotation_hours: Annotated[
        float,
        About("Between rotations of domain keys; 0: only when an operator asks.", least=0),
    ] = 24.0
    keep_days: Annotated[
        float,
        About(
            "How long a domain key is kept after its rotation, for the tokens that clients carry; "
            "then it is destroyed, once no stored token needs it.",
            least=2,
        ),
    ] = 3.0
    rewraps_per_second: Annotated[
        int,
        About(
            "Keys and other entities whose tokens are wrapped anew in a second, at most.",
            least=1,
            most=10_000,
        ),
    ] = 100
