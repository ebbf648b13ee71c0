"""Collects a report: who asked, the controls, their facts, and what is missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from kagimori_evidence.asking import Ask, Collecting, NotRead, shown
from kagimori_evidence.controls import Control, controls, standards
from kagimori_evidence.deployment import deployment_facts
from kagimori_evidence.identities import (
    administrator_facts,
    identity_facts,
    identity_summary,
)
from kagimori_evidence.keys import CUSTOMER, key_facts, key_summary

FORM: Final = "kagimori-evidence"
FORM_VERSION: Final = 1
STATEMENT: Final = (
    "This report shows how one deployment of Kagimori is, as its API answered at the time above. "
    "It is no certificate and no opinion of an auditor. Software alone meets none of the standards "
    "named here: each control says which part is the company's. Kagimori's cryptographic module is "
    "not validated under FIPS 140-3; where a validated module is needed, keep keys in one (a "
    "PKCS#11 token or an external key store)."
)


@dataclass(frozen=True)
class Bounds:
    """How much a report looks at; it says what it left out."""

    keys_max: int = 100_000  # of a region
    users_max: int = 100_000
    identities_max: int = 5_000  # users and roles asked for what they may administer


def report_of(
    now: float, endpoint_url: str, regions: Sequence[str], bounds: Bounds
) -> Collecting[dict[str, Any]]:
    """Collect the whole report. `regions` are asked if the deployment's own cannot be read."""
    not_read = NotRead()
    ask = Ask("sts", "GetCallerIdentity")
    (answer,) = yield [ask]
    asker = not_read.noted(ask, answer) or {}
    deployment = yield from deployment_facts(not_read, now)
    server = deployment["server"]
    regions = list(regions) if server is None else server["regions"]
    keys = yield from key_facts(not_read, now, regions, keys_max=bounds.keys_max)
    identities = yield from identity_facts(not_read, now, users_max=bounds.users_max)
    administrators = None
    if identities["users"] is not None and identities["roles"] is not None and keys is not None:
        administrators = yield from administrator_facts(
            not_read,
            [one["arn"] for one in identities["users"]] + identities["roles"],
            [one["arn"] for one in keys if one["manager"] == CUSTOMER],
            identities_max=bounds.identities_max,
        )
    return {
        "form": FORM,
        "version": FORM_VERSION,
        "made_at": shown(now),
        "asked_by": asker.get("Arn"),
        "account_id": asker.get("Account"),
        "endpoint_url": endpoint_url,
        "regions": regions,
        "software_version": None if server is None else server["version"],
        "statement": STATEMENT,
        "standards": {one.name: one.title for one in standards()},
        "controls": [_control(one) for one in controls()],
        "facts": {
            **deployment,
            "keys": {"summary": key_summary(keys), "list": keys},
            "administrators": administrators,
            "identities": {"summary": identity_summary(identities), **identities},
        },
        "not_read": not_read.entries,
    }


def _control(one: Control) -> dict[str, Any]:
    clauses: dict[str, list[str]] = {}
    for clause in one.clauses:
        clauses.setdefault(clause.standard, []).append(clause.part)
    return {
        "control_id": one.control_id,
        "title": one.title,
        "clauses": clauses,
        "kept_by": one.kept_by,
        "company": one.company,
        "tests": list(one.tests),
        "facts": list(one.facts),
    }
