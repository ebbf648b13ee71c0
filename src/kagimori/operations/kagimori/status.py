"""How the server and its audit trail are, for operators of the deployment."""

from collections.abc import Mapping
from typing import Any

from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.operators import check_operator
from kagimori.operations.kagimori.inspecting import Inspecting, asker
from kagimori.operations.operation import Facts, Outcome
from kagimori.rules.chain.audit_status import AuditStatus
from kagimori.rules.records.times import epoch_of


class SupervisorStatus(Facts):
    """The supervisor's status, in the members of the answer."""

    members: Mapping[str, Any] | None = None


class GetStatus(Inspecting[SupervisorStatus]):
    def look_up(self, asked: Asked) -> SupervisorStatus:
        check_operator(asked, "kagimori:GetStatus")
        return SupervisorStatus((Need("kagimori:GetStatus"),))

    def read(self, asked: Asked, facts: SupervisorStatus) -> SupervisorStatus:
        found = self.inspector.server_status(asker(asked))
        return SupervisorStatus(facts.needs, members=found)

    def finish(self, asked: Request, facts: SupervisorStatus, reply: None) -> Outcome:
        operators = asked.settings.operator_account_id
        return Outcome({**(facts.members or {}), "OperatorAccountId": operators})


class GetMetricsSummary(Inspecting[SupervisorStatus]):
    def look_up(self, asked: Asked) -> SupervisorStatus:
        check_operator(asked, "kagimori:GetMetricsSummary")
        return SupervisorStatus((Need("kagimori:GetMetricsSummary"),))

    def read(self, asked: Asked, facts: SupervisorStatus) -> SupervisorStatus:
        found = self.inspector.metrics_summary(asker(asked))
        return SupervisorStatus(facts.needs, members=found)

    def finish(self, asked: Request, facts: SupervisorStatus, reply: None) -> Outcome:
        return Outcome(dict(facts.members or {}))


class GetHsmStatus(Inspecting[SupervisorStatus]):
    def look_up(self, asked: Asked) -> SupervisorStatus:
        check_operator(asked, "kagimori:GetHsmStatus")
        return SupervisorStatus((Need("kagimori:GetHsmStatus"),))

    def read(self, asked: Asked, facts: SupervisorStatus) -> SupervisorStatus:
        found = self.inspector.hsm_status(asker(asked))
        return SupervisorStatus(facts.needs, members=found)

    def finish(self, asked: Request, facts: SupervisorStatus, reply: None) -> Outcome:
        return Outcome(dict(facts.members or {}))


class FoundStatus(Facts):
    status: AuditStatus | None = None


class GetAuditStatus(Inspecting[FoundStatus]):
    def look_up(self, asked: Asked) -> FoundStatus:
        check_operator(asked, "kagimori:GetAuditStatus")
        return FoundStatus((Need("kagimori:GetAuditStatus"),))

    def read(self, asked: Asked, facts: FoundStatus) -> FoundStatus:
        found = self.inspector.audit_status(asker(asked))
        return FoundStatus(facts.needs, status=found)

    def finish(self, asked: Request, facts: FoundStatus, reply: None) -> Outcome:
        status = facts.status or AuditStatus()
        newest = status.newest_digest_time
        return Outcome(
            {
                "Streams": [
                    {
                        "Name": stream.name,
                        "NewestSequence": stream.newest_sequence,
                        "SignedTo": stream.signed_to,
                    }
                    for stream in status.streams
                ],
                "UnsignedRecords": status.unsigned_records,
                "Digests": status.digests,
                "NewestDigestTime": None if newest is None else epoch_of(newest),
                "KeyFingerprint": status.key_fingerprint,
                "DigestsIntact": status.digests_intact,
            }
        )
