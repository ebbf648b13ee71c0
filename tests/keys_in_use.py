"""Keys that are made and used, as a machine does it beside the model (`key_model.py`)."""

import os

from botocore.exceptions import ClientError
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule

from key_model import (
    GONE,
    HOME,
    KINDS,
    MAC,
    SIGNING,
    STRANGER,
    UNUSABLE,
    WRONG_USAGE,
    Key,
)


class KeyUses(RuleBasedStateMachine):
    server = None
    clients = None
    members = Bundle("members")

    def __init__(self):
        super().__init__()
        self.keys = []

    # --- what is done and what must come of it ----------------------------------------------------

    def do(self, member, operation, expected, **given):
        """Do it, and find that it is refused as expected, or not."""
        try:
            answer = getattr(self.clients[member.region], operation)(**given)
        except ClientError as problem:
            code = problem.response["Error"]["Code"]
            assert code == expected, (operation, member.state, problem)
            return None
        assert expected is None, (operation, member.state, expected)
        return answer

    @initialize(target=members)
    def begin(self):
        return multiple(*map(self.create, ("external", "multi", "signing")))

    @rule(target=members, kind=st.sampled_from(sorted(KINDS)))
    def create_another(self, kind):
        return self.create(kind)

    def create(self, kind):
        arn = self.clients[HOME].create_key(**KINDS[kind])["KeyMetadata"]["Arn"]
        self.keys.append(Key(arn, kind))
        return self.keys[-1].primary

    @rule(member=members)
    def encrypt(self, member):
        text = os.urandom(12)
        given = {"KeyId": member.arn, "Plaintext": text}
        expected = UNUSABLE[member.state] or (None if member.key.encrypts else WRONG_USAGE)
        answer = self.do(member, "encrypt", expected, **given)
        if answer is not None:
            member.key.ciphertexts.append((text, answer["CiphertextBlob"]))

    @rule(member=members, number=st.integers(0, 30))
    def decrypt(self, member, number):
        if not member.key.ciphertexts:
            return
        text, blob = member.key.ciphertexts[number % len(member.key.ciphertexts)]
        expected = "AccessDeniedException" if member.state == GONE else UNUSABLE[member.state]
        answer = self.do(member, "decrypt", expected, CiphertextBlob=blob)
        assert answer is None or (answer["Plaintext"], answer["KeyId"]) == (text, member.arn)

    @rule(source=members, number=st.integers(0, 30), destination=members)
    def re_encrypt(self, source, number, destination):
        if not source.key.ciphertexts or source.region != destination.region:
            return
        text, blob = source.key.ciphertexts[number % len(source.key.ciphertexts)]
        if source.state == GONE:
            expected = "AccessDeniedException"
        elif destination.state == GONE:
            expected = "NotFoundException"
        else:
            expected = UNUSABLE[source.state] or UNUSABLE[destination.state]
            expected = expected or (None if destination.key.encrypts else WRONG_USAGE)
        given = {"CiphertextBlob": blob, "DestinationKeyId": destination.arn}
        answer = self.do(source, "re_encrypt", expected, **given)
        if answer is not None:
            destination.key.ciphertexts.append((text, answer["CiphertextBlob"]))

    @rule(member=members)
    def sign(self, member):
        """Sign, or make a MAC, with a key that can."""
        if member.key.encrypts:
            return
        message, expected = os.urandom(12), UNUSABLE[member.state]
        given = {"KeyId": member.arn, "Message": message}
        if member.key.kind == "mac":
            answer = self.do(member, "generate_mac", expected, MacAlgorithm=MAC, **given)
        else:
            answer = self.do(member, "sign", expected, SigningAlgorithm=SIGNING, **given)
        if answer is not None:
            member.key.proofs.append((message, answer.get("Mac") or answer["Signature"]))

    @rule(member=members, number=st.integers(0, 30))
    def verify(self, member, number):
        if not member.key.proofs:
            return
        proof = member.key.proofs[number % len(member.key.proofs)]
        expected = UNUSABLE[member.state]
        try:
            assert self.proves(self.clients[member.region], member, *proof)
        except ClientError as problem:
            assert problem.response["Error"]["Code"] == expected, problem
        else:
            assert expected is None

    @staticmethod
    def proves(client, member, message, proof):
        given = {"KeyId": member.arn, "Message": message}
        if member.key.kind == "mac":
            return client.verify_mac(Mac=proof, MacAlgorithm=MAC, **given)["MacValid"]
        found = client.verify(Signature=proof, SigningAlgorithm=SIGNING, **given)
        return found["SignatureValid"]

    # --- grants -----------------------------------------------------------------------------------

    @rule(member=members)
    def grant(self, member):
        given = {"GranteePrincipal": STRANGER, "Operations": ["DescribeKey"]}
        answer = self.do(member, "create_grant", UNUSABLE[member.state], KeyId=member.arn, **given)
        if answer is not None:
            member.grants.add(answer["GrantId"])

    @rule(member=members)
    def revoke(self, member):
        if member.grants:
            gone = member.state == GONE
            grant_id = min(member.grants)
            expected = "NotFoundException" if gone else None
            self.do(member, "revoke_grant", expected, KeyId=member.arn, GrantId=grant_id)
            if not gone:
                member.grants.remove(grant_id)
