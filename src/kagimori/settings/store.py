"""Settings of a store that several nodes share."""

from typing import Annotated

from kagimori.settings.about import About, Section


class Store(Section, frozen=True):
    """The store, where it is a database in a server; where it is, `kagimori init` was given."""

    stale_seconds: Annotated[
        float,
        About(
            "A worker that has not heard from the database for longer answers nothing from memory: "
            "it reads, or refuses.",
            least=1,
            most=60,
        ),
    ] = 5.0
