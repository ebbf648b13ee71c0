"""ProveKeyUnused: whether a KMS key was used in a time, by the signed trail."""

from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.operators import reach_of
from kagimori.operations.kagimori.inspecting import Inspecting, asker
from kagimori.operations.kagimori.keys import key_ref
from kagimori.operations.operation import Facts, Outcome
from kagimori.rules.chain.unused import Proof
from kagimori.rules.names import key_arn
from kagimori.rules.refusal import ValidationException

_ACTION = "kagimori:ProveKeyUnused"
_VERDICTS = {True: "UNUSED", False: "USED", None: "UNKNOWN"}


class ProvenKey(Facts):
    """The key by the name it is looked for, and what was proven of it."""

    key: str = ""
    proof: Proof | None = None


class ProveKeyUnused(Inspecting[ProvenKey]):
    """A proof from digests and records; the key need not exist any more."""

    def look_up(self, asked: Asked) -> ProvenKey:
        named: str = asked.call.input.KeyId
        ref = key_ref(asked, _ACTION, aliases=False)
        resource = key_arn(ref.account_id, ref.region, ref.key_id or "")
        if named.startswith("arn:"):
            return ProvenKey((Need(_ACTION, resource=resource),), key=resource)
        # An id alone means the key of that id in whatever region; for operators, in any account.
        if reach_of(asked, _ACTION) is None:
            return ProvenKey((Need(_ACTION),), key=named)
        ending = f":{ref.account_id}:key/{ref.key_id}"
        return ProvenKey((Need(_ACTION, resource=resource),), key=ending)

    def read(self, asked: Asked, facts: ProvenKey) -> ProvenKey:
        given = asked.call.input
        if given.Until is not None and given.Since >= given.Until:
            raise ValidationException("Since must be before Until")
        proof = self.inspector.prove_unused(asker(asked), facts.key, given.Since, given.Until)
        return ProvenKey(facts.needs, key=facts.key, proof=proof)

    def finish(self, asked: Request, facts: ProvenKey, reply: None) -> Outcome:
        proof = facts.proof or Proof(None, "")
        return Outcome(
            {
                "KeyId": asked.call.input.KeyId,
                "Verdict": _VERDICTS[proof.unused],
                "Reason": proof.why,
                "Since": asked.call.input.Since,
                "Until": proof.until,
                "Counts": [
                    {"EventName": name, "Records": records, "Refused": refused}
                    for name, (records, refused) in sorted(proof.counts.items())
                ],
                "DigestsReliedOn": list(proof.digests_relied_on),
                "RecordsRead": proof.records_read,
                "Notes": list(proof.notes),
            }
        )
