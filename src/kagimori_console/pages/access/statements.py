"""The statements that a simulation names: the simulator gives a policy's name and a place in it."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

from kagimori_console.api.api import Api
from kagimori_console.api.failures import ApiFailure
from kagimori_console.pages.access.documents import text_of

_GRANT: Final = "grant/"
_HOLDERS: Final = ("user", "group", "role")


class Statements:
    """The texts of the policies of one simulation about a key, read once each."""

    def __init__(self, api: Api, key_arn: str) -> None:
        self._api, self._key_arn = api, key_arn
        self._texts: dict[tuple[str, str], str] = {}
        self._addresses: dict[tuple[str, str], str] = {}

    async def read(self, matched: Iterable[dict[str, Any]]) -> None:
        """Read the policies that matched statements are in, as far as the person may."""
        wanted = {(one["SourcePolicyType"], one["SourcePolicyId"]) for one in matched}
        await asyncio.gather(*(self._read(*one) for one in wanted))

    def shown(self, matched: dict[str, Any]) -> dict[str, Any]:
        """Return a statement as the page shows it: policy, Sid, text, address."""
        kind, policy_id = matched["SourcePolicyType"], matched["SourcePolicyId"]
        text = _cut(self._texts.get((kind, policy_id), ""), matched)
        return {
            "kind": "grant" if policy_id.startswith(_GRANT) else kind,
            "policy": policy_id,
            "sid": _sid(text),
            "line": (matched.get("StartPosition") or {}).get("Line"),
            "text": text,
            "address": self._addresses.get((kind, policy_id), ""),
        }

    async def _read(self, kind: str, policy_id: str) -> None:
        key_id = quote(self._key_arn.rpartition("/")[2], safe="")
        text, address = None, ""
        if policy_id.startswith(_GRANT):
            address = f"/keys/{key_id}/grants"
        elif policy_id == self._key_arn:
            address = f"/keys/{key_id}/policy"
            found = await self._api.tried("kms", "GetKeyPolicy", KeyId=self._key_arn)
            text = None if isinstance(found, ApiFailure) else found["Policy"]
        elif kind.lower() in _HOLDERS:
            text, address = await self._inline(kind.lower(), policy_id)
        else:
            text, address = await self._managed(policy_id)
        if text is not None:
            self._texts[kind, policy_id] = text
        self._addresses[kind, policy_id] = address

    async def _inline(self, noun: str, policy_id: str) -> tuple[str | None, str]:
        """Read an inline policy; its id is noun, holder and name, and names may have "_", too."""
        rest = policy_id.removeprefix(f"{noun}_")
        parts = rest.split("_")
        for at in range(1, len(parts)):
            holder, name = "_".join(parts[:at]), "_".join(parts[at:])
            title = noun.capitalize()
            found = await self._api.tried(
                "iam", f"Get{title}Policy", **{f"{title}Name": holder, "PolicyName": name}
            )
            if isinstance(found, dict):
                address = f"/access/{noun}s/{quote(holder, safe='')}/inline/{quote(name, safe='')}"
                return text_of(found["PolicyDocument"]), address
        return None, ""

    async def _managed(self, name: str) -> tuple[str | None, str]:
        try:
            policies = await self._api.all("iam", "ListPolicies", "Policies", OnlyAttached=True)
        except ApiFailure:
            return None, ""
        for policy in policies:
            if policy["PolicyName"] == name:
                found = await self._api.tried(
                    "iam",
                    "GetPolicyVersion",
                    PolicyArn=policy["Arn"],
                    VersionId=policy["DefaultVersionId"],
                )
                address = f"/access/policies/{quote(policy['Arn'], safe='')}"
                if isinstance(found, dict):
                    return text_of(found["PolicyVersion"]["Document"]), address
                return None, address
        return None, ""


def _cut(text: str, matched: dict[str, Any]) -> str:
    """Return the part of a text between two places (line and column, from 1 and from 0)."""
    start, end = matched.get("StartPosition"), matched.get("EndPosition")
    lines = text.split("\n")
    if not text or start is None or end is None or end["Line"] > len(lines):
        return ""
    found = lines[start["Line"] - 1 : end["Line"]]
    found[-1] = found[-1][: end["Column"]]
    found[0] = found[0][max(0, start["Column"] - 1) :]
    cut = "\n".join(found)
    return cut[cut.find("{") : cut.rfind("}") + 1]


def _sid(text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:
        return ""
    return str(found.get("Sid", "")) if isinstance(found, dict) else ""
