"""The finding that a row of the store is not as the service has written it."""

from enum import StrEnum, unique

Key = tuple[str, ...]


@unique
class Problem(StrEnum):
    """A way in which a row differs from the one that was written. The text is for people."""

    CHANGED = "is not as it was written"
    MISSING = "is missing"
    ADDED = "was not written by the service"
    OLDER = "is older than it was"
    UNMARKED = "has no valid mark"


class Altered(Exception):
    """A row that somebody else than the service has changed: its table, its key, and how.

    For a group of rows, `table` has the group's name after a slash, and `key` the group's values.
    """

    def __init__(self, table: str, key: Key, problem: Problem) -> None:
        which = f"{table} ({', '.join(key)})" if key else table
        super().__init__(f"{which} {problem.value}")
        self.table, self.key, self.problem = table, key, problem
