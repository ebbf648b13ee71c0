"""Checks of a key policy before it is stored.

Source: KMS Developer Guide, "Key policies in AWS KMS"; KMS API Reference, PutKeyPolicy.
"""

from msgspec import Struct

from kagimori.gate.asked import Asked
from kagimori.operations.principals_written import key_policy_pins
from kagimori.rules.authorization.authorize import KeyRules, would_lock_out
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.partitions import partition_of
from kagimori.rules.policy.evaluate import CompiledPolicy
from kagimori.rules.policy.key_policies import compiled_key_policy, key_policy_document
from kagimori.rules.policy.question import Question
from kagimori.rules.policy.steps import OutOfSteps
from kagimori.rules.policy.values import Values
from kagimori.rules.refusal import MalformedPolicyDocumentException


class NewPolicy(Struct, frozen=True):
    """A key policy that was checked: the pins of its principals (see `KmsKey`), and compiled."""

    pins: dict[str, str]
    compiled: CompiledPolicy


def check_given_policy(asked: Asked, kms_key: KmsKey) -> NewPolicy:
    """Return the policy that a new key is to have, checked and compiled.

    Only a policy that was given could lock its writer out: the default one is not checked for it.

    Raises:
        MalformedPolicyDocumentException, InvalidArnException, LimitExceededException: as below.
    """
    given = asked.call.input
    bypass = not given.Policy or bool(given.BypassPolicyLockoutSafetyCheck)
    return check_new_policy(asked, kms_key, kms_key.key_policy, bypass=bypass)


def check_new_policy(asked: Asked, kms_key: KmsKey, text: str, *, bypass: bool) -> NewPolicy:
    """Return a text that may become the policy of `kms_key`, compiled.

    Raises:
        MalformedPolicyDocumentException: not a policy, one that names somebody who does not exist,
            or one that would lock its writer out.
        InvalidArnException: a principal that is no ARN of one.
        LimitExceededException: larger than a key policy may be.
    """
    partition = partition_of(kms_key.region).name
    pins = key_policy_pins(asked, key_policy_document(text, partition=partition))
    policy = NewPolicy(pins, compiled_key_policy(text, pins, partition=partition))
    if bypass:
        return policy
    caller = asked.caller
    rules = KeyRules(kms_key.arn, kms_key.account_id, policy.compiled)
    question = Question("kms:PutKeyPolicy", kms_key.arn, Values({}, steps=asked.steps))
    try:
        locks_out = would_lock_out(caller.principal, caller.identity_rules, rules, question)
    except OutOfSteps:  # so would it be then
        locks_out = True
    if locks_out:
        raise MalformedPolicyDocumentException(
            "The new key policy will not allow you to update the key policy in the future."
        )
    return policy
