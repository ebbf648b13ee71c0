"""Settings of `kagimori dev`."""

from typing import Annotated

from kagimori.settings.about import DEV, About, Section


class Dev(Section, frozen=True):
    """`kagimori dev` alone; `serve` reads none of it."""

    seed: Annotated[
        str | None,
        About(
            "YAML: keys with given ids, aliases and material.",
            flag="--seed",
            metavar="FILE",
            commands=DEV,
            is_path=True,
        ),
    ] = None
    hosts: Annotated[
        tuple[str, ...],
        About(
            "Names beside those of loopback by which requests may come, and of whose web pages; "
            "may be repeated.",
            flag="--allow-host",
            metavar="NAME",
            commands=DEV,
        ),
    ] = ()
    seed_region: Annotated[
        str,
        About(
            "Where the seed goes.",
            flag="--seed-region",
            metavar="R",
            commands=DEV,
            variable="KMS_REGION",
        ),
    ] = "us-east-1"
    seed_account: Annotated[
        str,
        About(
            "Whose the seed is.",
            flag="--seed-account",
            metavar="ID",
            commands=DEV,
            variable="KMS_ACCOUNT_ID",
        ),
    ] = "000000000000"
