"""Every operation there is, by service and AWS's name for it."""

from typing import Final

from kagimori.operations import (
    kms_aliases,
    kms_create_key,
    kms_crypto,
    kms_key_policies,
    kms_keys,
    kms_tags,
    sts,
)
from kagimori.operations.operation import Operation

_ALL: Final[tuple[Operation, ...]] = (
    kms_create_key.CreateKey(),
    kms_keys.DescribeKey(),
    kms_keys.ListKeys(),
    kms_keys.EnableKey(),
    kms_keys.DisableKey(),
    kms_keys.UpdateKeyDescription(),
    kms_keys.ScheduleKeyDeletion(),
    kms_keys.CancelKeyDeletion(),
    kms_aliases.CreateAlias(),
    kms_aliases.UpdateAlias(),
    kms_aliases.DeleteAlias(),
    kms_aliases.ListAliases(),
    kms_tags.TagResource(),
    kms_tags.UntagResource(),
    kms_tags.ListResourceTags(),
    kms_key_policies.GetKeyPolicy(),
    kms_key_policies.PutKeyPolicy(),
    kms_key_policies.ListKeyPolicies(),
    kms_crypto.Encrypt(),
    kms_crypto.Decrypt(),
    kms_crypto.ReEncrypt(),
    kms_crypto.GenerateDataKey(),
    kms_crypto.GenerateDataKeyWithoutPlaintext(),
    kms_crypto.GenerateRandom(),
    sts.GetCallerIdentity(),
)

OPERATIONS: Final = {(operation.service, operation.name): operation for operation in _ALL}
