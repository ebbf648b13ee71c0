"""The draft of a new key, which the wizard's forms hand on from step to step.

Nothing of it is kept but in the forms: each step sends what all steps have.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from kagimori_console.pages.keys import specs
from kagimori_console.pages.keys.console_policy import Chosen

STEPS: Final = ("type", "labels", "administrators", "users", "policy")
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "type": ("usage", "spec", "origin", "store", "xks-key", "multi"),
    "labels": ("alias", "description", "tag-key", "tag-value"),
    "administrators": ("administrator", "may-delete"),
    "users": ("user", "accounts"),
    "policy": ("policy", "generated", "bypass"),
}
_STEP_OF: Final = {name: step for step, names in FIELDS.items() for name in names}
_ALIAS: Final = re.compile(r"[A-Za-z0-9/_-]{1,250}", re.ASCII)
_ACCOUNT: Final = re.compile(r"[0-9]{12}", re.ASCII)
_PREFIX: Final = "alias/"
_DESCRIPTION_MAX: Final = 8192
_TAG_KEY_MAX: Final = 128
_TAG_VALUE_MAX: Final = 256
_TAGS_MAX: Final = 50
_CHOSEN_MAX: Final = 100


@dataclass(frozen=True)
class Draft:
    """The fields of all steps so far, in the order in which they were sent."""

    fields: Sequence[tuple[str, str]]

    def every(self, name: str) -> list[str]:
        """Return all values of a field."""
        return [value for key, value in self.fields if key == name]

    def value(self, name: str) -> str:
        """Return the first value of a field, "" without one."""
        return next(iter(self.every(name)), "")

    def outside(self, step: str) -> list[tuple[str, str]]:
        """Return the fields of the other steps: what a step's form hands on."""
        return [(name, value) for name, value in self.fields if _STEP_OF[name] != step]

    def with_values(self, name: str, *values: str) -> "Draft":
        """Return the draft with other values of one field."""
        kept = [one for one in self.fields if one[0] != name]
        return replace(self, fields=[*kept, *((name, value) for value in values)])

    @property
    def alias_name(self) -> str:
        """The alias with its prefix."""
        return _PREFIX + self.value("alias").strip().removeprefix(_PREFIX)

    @property
    def tags(self) -> list[tuple[str, str]]:
        """The tags, without lines that are empty."""
        pairs = zip(self.every("tag-key"), self.every("tag-value"), strict=False)
        return [
            (key.strip(), value.strip()) for key, value in pairs if key.strip() or value.strip()
        ]

    @property
    def accounts(self) -> list[str]:
        """The other accounts."""
        return self.value("accounts").replace(",", " ").replace(";", " ").split()

    @property
    def is_multi_region(self) -> bool:
        return self.value("multi") == "yes"

    @property
    def chosen(self) -> Chosen:
        """The choices that the policy is made of."""
        return Chosen(
            administrators=tuple(dict.fromkeys(self.every("administrator"))),
            may_delete=bool(self.value("may-delete")),
            users=tuple(dict.fromkeys(self.every("user"))),
            accounts=tuple(dict.fromkeys(self.accounts)),
            usage=self.value("usage"),
            spec=self.value("spec"),
            origin=self.value("origin"),
            multi_region=self.is_multi_region,
        )

    @property
    def members(self) -> dict[str, Any]:
        """The members of CreateKey."""
        origin = self.value("origin")
        in_store = origin in specs.KEY_STORE_ORIGINS
        return {
            "KeySpec": self.value("spec"),
            "KeyUsage": self.value("usage"),
            "Origin": origin,
            "MultiRegion": self.is_multi_region or None,
            "CustomKeyStoreId": self.value("store") if in_store else None,
            "XksKeyId": self.value("xks-key") if origin == specs.XKS else None,
            "Description": self.value("description").strip() or None,
            "Tags": [{"TagKey": key, "TagValue": value} for key, value in self.tags] or None,
            "Policy": self.value("policy"),
            "BypassPolicyLockoutSafetyCheck": bool(self.value("bypass")) or None,
        }

    def problems(self, step: str) -> list[str]:
        """Return the names of the rules that the fields of a step break."""
        return {"type": self._of_type, "labels": self._of_labels, "users": self._of_users}.get(
            step, self._of_none
        )()

    def _of_none(self) -> list[str]:
        return []

    def _of_type(self) -> list[str]:
        problem = specs.problem_of(
            spec=self.value("spec"),
            usage=self.value("usage"),
            origin=self.value("origin"),
            key_store=self.value("store"),
            xks_key=self.value("xks-key").strip(),
            multi_region=self.is_multi_region,
        )
        return [] if problem is None else [problem]

    def _of_labels(self) -> list[str]:
        found = []
        name = self.alias_name.removeprefix(_PREFIX)
        if not _ALIAS.fullmatch(name):
            found.append("alias")
        elif name.startswith("aws/"):
            found.append("alias-aws")
        if len(self.value("description")) > _DESCRIPTION_MAX:
            found.append("description")
        keys = [key for key, _ in self.tags]
        if len(set(keys)) < len(keys) or len(keys) > _TAGS_MAX:
            found.append("tags-many")
        if any(
            not 0 < len(key) <= _TAG_KEY_MAX
            or len(value) > _TAG_VALUE_MAX
            or key.lower().startswith("aws:")
            for key, value in self.tags
        ):
            found.append("tags")
        return found

    def _of_users(self) -> list[str]:
        return [] if all(map(_ACCOUNT.fullmatch, self.accounts)) else ["accounts"]


def draft_of(fields: Sequence[tuple[str, str]]) -> Draft:
    """Return the draft that a form hands on, without other fields of the form."""
    known = [(name, value.replace("\r\n", "\n")) for name, value in fields if name in _STEP_OF]
    draft = Draft(known)
    for name in ("administrator", "user"):
        lines = [line.strip() for value in draft.every(name) for line in value.splitlines()]
        draft = draft.with_values(name, *dict.fromkeys(filter(None, lines[:_CHOSEN_MAX])))
    return draft


FIRST: Final = Draft(
    [
        ("usage", specs.ENCRYPT),
        ("spec", specs.SYMMETRIC),
        ("origin", specs.AWS_KMS),
        ("multi", "no"),
        ("may-delete", "yes"),
    ]
)


def json_problem(text: str) -> tuple[int, int, str] | None:
    """Return line, column and description of the place where a text is no JSON; None if it is."""
    try:
        json.loads(text)
    except json.JSONDecodeError as problem:
        return problem.lineno, problem.colno, problem.msg
    except (ValueError, RecursionError) as problem:
        return 1, 1, type(problem).__name__
    return None
