"""Settings of request quotas."""

from typing import Annotated

from kagimori.settings.about import BOTH, About, Section


class Quotas(Section, frozen=True):
    """How often an account may call; beyond it requests are throttled."""

    profile: Annotated[
        str,
        About(
            "`open`: generous, and what is dear counts what it costs; `aws`: the groups and "
            "numbers of AWS in the region; `off`: none. `kagimori dev` has none unless `aws`.",
            flag="--quotas",
            metavar="PROFILE",
            commands=BOTH,
        ),
    ] = "open"
    rates: Annotated[
        tuple[str, ...],
        About(
            "Other numbers for every account, a second: GROUP=NUMBER, as `kagimori quota show` "
            "names the groups.",
            metavar="GROUP=NUMBER",
        ),
    ] = ()
    kms_keys: Annotated[
        int,
        About(
            "How many customer managed keys an account may have in a region, in any state; "
            "beyond it CreateKey and ReplicateKey answer LimitExceededException.",
            least=1,
            most=10_000_000,
            commands=BOTH,
        ),
    ] = 100_000
