"""Operators with their keys, and a deployment in memory in which they decide, with a real HSM."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from kagimori.entities.tables import APPROVALS, DOMAINS
from kagimori.rules.keys.domains import ALL, first_domains
from kagimori_boundary import commands
from kagimori_boundary.commands import IDENTITY_DOMAIN, AccessKeyProof, Role
from kagimori_boundary.commands.identity import ROOT_HOLDER
from kagimori_client.approvals import signed_text
from kagimori_hsm.module import Module
from kagimori_hsm.world import World
from kit.trial import ACCOUNT, REGION, Trial

DAY = 86_400
NAMES = ("alice", "bob", "carol")
KEYS = {
    name: Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32))
    for name in (*NAMES, "dave", "mallory")
}


def public(name):
    return KEYS[name].public_key().public_bytes_raw().hex()


def listed(*names):
    """Operators as `AddOperators` takes them."""
    return [{"OperatorName": name, "PublicKey": public(name)} for name in names]


def signature(approval, name, decision="approve", key=None):
    """The signature of an operator over a request as the service shows it."""
    return KEYS[key or name].sign(signed_text(decision, approval)).hex()


class Deployment:
    """A trial whose HSM is real; the clock of both is moved by hand."""

    def __init__(self, refusal_seconds=DAY):
        self.trial = Trial()
        self.refusal_seconds = refusal_seconds
        self.hsm = self._module()
        made = self.operator(commands.CreateDomains([IDENTITY_DOMAIN, REGION], ACCOUNT))
        self.view = self.trial.view
        self.view.put(DOMAINS, first_domains(made.sealed_domains, made.keys))
        secret = self.operator(commands.CreateSecret(ACCOUNT, "AKIA", ROOT_HOLDER))
        self.proof = AccessKeyProof(ACCOUNT, "AKIA", ROOT_HOLDER, secret.sealed_secret)
        self.administrator = replace(self.trial.root(), proof=self.proof)

    def _module(self):
        world = World(now=lambda: self.trial.now, refusal_seconds=self.refusal_seconds)
        made = Module(bytes(32), memory_locked=False, world=world)
        made.self_test()
        return made

    def operator(self, command):
        return self.hsm.perform(Role.OPERATOR, command)

    def worker(self, command):
        return None if command is None else self.hsm.perform(Role.WORKER, command)

    @property
    def kept(self):
        return self.view.one(DOMAINS, (ALL,))

    def adopt(self):
        """As the supervisor does after each change."""
        return self.operator(commands.AdoptDomains(self.kept.sealed))

    def restart_hsm(self):
        self.hsm = self._module()
        self.operator(commands.Unseal(self.kept.sealed))

    def call(self, name, *, by=None, service="kagimori", adopt=True, **members):
        """One call of an operator's account, with its HSM command performed."""
        who = by or self.administrator
        tried = self.trial.call(name, self.worker, service=service, by=who, **members)
        if adopt and any(write.table is DOMAINS for write in tried.outcome.writes):
            self.adopt()
        return tried

    def add_operators(self, *names, quorum=2):
        return self.call("AddOperators", Operators=listed(*(names or NAMES)), Quorum=quorum)

    def request(self, action, **members):
        answer = self.call("RequestApproval", Action=action, Reason="because", **members).answer
        return answer["Approval"]

    def sign(self, approval, name, *, operation="SignApproval", key=None):
        decision = "approve" if operation == "SignApproval" else "refuse"
        return self.call(
            operation,
            RequestId=approval["RequestId"],
            OperatorName=name,
            Signature=signature(approval, name, decision, key),
        ).answer["Approval"]

    def refuse(self, approval, name):
        return self.sign(approval, name, operation="RefuseApproval")

    def execute(self, approval, **options):
        return self.call("ExecuteApproval", RequestId=approval["RequestId"], **options)

    def approved(self, action, *, by=("alice", "bob"), **members):
        """A request that these operators approved, and that nobody can refuse any more."""
        approval = self.request(action, **members)
        for name in by:
            self.sign(approval, name)
        self.trial.now += self.refusal_seconds
        return approval

    def stored(self, approval):
        return self.view.one(APPROVALS, (approval["RequestId"],))
