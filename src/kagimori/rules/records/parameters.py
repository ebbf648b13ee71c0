"""The request members that a record shows: an allow-list for each operation.

A member that is not listed is never shown, so that a new one is silent until somebody has thought
about it. Source: KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail".
"""

from typing import Any, Final

from msgspec import Struct

from kagimori.rules.records.iam_parameters import IAM_SHOWN
from kagimori.rules.records.times import element_date
from kagimori.rules.request import Call

# Members that are shown with their default when the request left them out.
_DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "Encrypt": {"EncryptionAlgorithm": "SYMMETRIC_DEFAULT"},
    "Decrypt": {"EncryptionAlgorithm": "SYMMETRIC_DEFAULT"},
    "ReEncrypt": {
        "SourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "DestinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
    },
    "Sign": {"MessageType": "RAW"},
    "Verify": {"MessageType": "RAW"},
    "CreateKey": {
        "Description": "",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "Origin": "AWS_KMS",
        "MultiRegion": False,
        "BypassPolicyLockoutSafetyCheck": False,
    },
    "PutKeyPolicy": {"PolicyName": "default", "BypassPolicyLockoutSafetyCheck": False},
    "GetKeyPolicy": {"PolicyName": "default"},
    "ScheduleKeyDeletion": {"PendingWindowInDays": 30},
    "ReplicateKey": {"BypassPolicyLockoutSafetyCheck": False},
}

# Members that mean the same: one left out is shown as the other was given.
_SYNONYMS: Final = {"KeySpec": "CustomerMasterKeySpec", "CustomerMasterKeySpec": "KeySpec"}

SHOWN: Final[dict[str, tuple[str, ...]]] = {
    name: tuple(members.split())
    for name, members in {
        "CreateKey": "Policy Description KeyUsage CustomerMasterKeySpec KeySpec Origin "
        "CustomKeyStoreId BypassPolicyLockoutSafetyCheck Tags MultiRegion XksKeyId",
        "DescribeKey": "KeyId",
        "ListKeys": "Limit Marker ResourceOwners",
        "EnableKey": "KeyId",
        "DisableKey": "KeyId",
        "UpdateKeyDescription": "KeyId Description",
        "ScheduleKeyDeletion": "KeyId PendingWindowInDays",
        "CancelKeyDeletion": "KeyId",
        "GetKeyLastUsage": "KeyId",
        "GetKeyPolicy": "KeyId PolicyName",
        "PutKeyPolicy": "KeyId PolicyName Policy BypassPolicyLockoutSafetyCheck",
        "ListKeyPolicies": "KeyId Limit Marker",
        "CreateAlias": "AliasName TargetKeyId",
        "UpdateAlias": "AliasName TargetKeyId",
        "DeleteAlias": "AliasName",
        "ListAliases": "KeyId Limit Marker",
        "TagResource": "KeyId Tags",
        "UntagResource": "KeyId TagKeys",
        "ListResourceTags": "KeyId Limit Marker",
        "Encrypt": "KeyId EncryptionContext EncryptionAlgorithm DryRun",
        "Decrypt": "KeyId EncryptionContext EncryptionAlgorithm DryRun DryRunModifiers",
        "ReEncrypt": "SourceEncryptionContext SourceKeyId DestinationKeyId "
        "DestinationEncryptionContext SourceEncryptionAlgorithm "
        "DestinationEncryptionAlgorithm DryRun DryRunModifiers",
        "GenerateDataKey": "KeyId EncryptionContext NumberOfBytes KeySpec DryRun",
        "GenerateDataKeyWithoutPlaintext": "KeyId EncryptionContext NumberOfBytes KeySpec DryRun",
        "GenerateDataKeyPair": "KeyId EncryptionContext KeyPairSpec DryRun",
        "GenerateDataKeyPairWithoutPlaintext": "KeyId EncryptionContext KeyPairSpec DryRun",
        "GenerateRandom": "CustomKeyStoreId",
        "Sign": "KeyId MessageType SigningAlgorithm DryRun",
        "Verify": "KeyId MessageType SigningAlgorithm DryRun",
        "GetPublicKey": "KeyId",
        "GenerateMac": "KeyId MacAlgorithm DryRun",
        "VerifyMac": "KeyId MacAlgorithm DryRun",
        "DeriveSharedSecret": "KeyId KeyAgreementAlgorithm DryRun",
        "Encapsulate": "KeyId EncapsulationAlgorithm DryRun",
        "Decapsulate": "KeyId EncapsulationAlgorithm DryRun",
        "EnableKeyRotation": "KeyId RotationPeriodInDays",
        "DisableKeyRotation": "KeyId",
        "GetKeyRotationStatus": "KeyId",
        "RotateKeyOnDemand": "KeyId",
        "ListKeyRotations": "KeyId IncludeKeyMaterial Limit Marker",
        "GetParametersForImport": "KeyId WrappingAlgorithm WrappingKeySpec",
        "ImportKeyMaterial": "KeyId ValidTo ExpirationModel ImportType KeyMaterialDescription "
        "KeyMaterialId",
        "DeleteImportedKeyMaterial": "KeyId KeyMaterialId",
        "ReplicateKey": "KeyId ReplicaRegion Policy BypassPolicyLockoutSafetyCheck Description "
        "Tags",
        "UpdatePrimaryRegion": "KeyId PrimaryRegion",
        "CreateGrant": "KeyId GranteePrincipal RetiringPrincipal Operations Constraints Name "
        "DryRun GranteeServicePrincipal RetiringServicePrincipal",
        "ListGrants": "KeyId GrantId GranteePrincipal GranteeServicePrincipal Limit Marker",
        "ListRetirableGrants": "RetiringPrincipal RetiringServicePrincipal Limit Marker",
        "RetireGrant": "KeyId GrantId DryRun",
        "RevokeGrant": "KeyId GrantId DryRun",
        "CreateCustomKeyStore": "CustomKeyStoreName CloudHsmClusterId CustomKeyStoreType "
        "XksProxyUriEndpoint XksProxyUriPath XksProxyVpcEndpointServiceName "
        "XksProxyVpcEndpointServiceOwner XksProxyConnectivity",
        "UpdateCustomKeyStore": "CustomKeyStoreId NewCustomKeyStoreName CloudHsmClusterId "
        "XksProxyUriEndpoint XksProxyUriPath XksProxyVpcEndpointServiceName "
        "XksProxyVpcEndpointServiceOwner XksProxyConnectivity",
        "ConnectCustomKeyStore": "CustomKeyStoreId",
        "DisconnectCustomKeyStore": "CustomKeyStoreId",
        "DescribeCustomKeyStores": "CustomKeyStoreId CustomKeyStoreName Limit Marker",
        "DeleteCustomKeyStore": "CustomKeyStoreId",
        "AssumeRole": "RoleArn RoleSessionName PolicyArns Policy DurationSeconds Tags "
        "TransitiveTagKeys ExternalId SerialNumber SourceIdentity",
        "AssumeRoleWithWebIdentity": "RoleArn RoleSessionName ProviderId PolicyArns Policy "
        "DurationSeconds",
        "GetSessionToken": "DurationSeconds SerialNumber",
        "GetFederationToken": "Name Policy PolicyArns DurationSeconds Tags",
        "GetAccessKeyInfo": "AccessKeyId",
        "LookupEvents": "LookupAttributes StartTime EndTime EventCategory MaxResults NextToken",
        "ListPublicKeys": "StartTime EndTime NextToken",
        "AddOperators": "Operators Quorum",
        "CheckKeyPolicy": "Policy",
        "CreateAccount": "",
        "CreateBackupKey": "BackupId KeyId",
        "CreateServiceKey": "Service",
        "CreateSignInToken": "",
        "DeleteServiceKey": "AccessKeyId",
        "DestroyDomainKeys": "DomainKeyIds",
        "ExecuteApproval": "RequestId",
        "GetApproval": "RequestId",
        "GetAuditStatus": "",
        "GetDenial": "RequestId IncludeEncodedMessage",
        "GetDomainStatus": "",
        "GetKeyGuard": "",
        "GetMetricsSummary": "",
        "GetStatus": "",
        "GetUsage": "Month GroupBy AccountId MaxResults NextToken",
        "ListAccounts": "MaxResults NextToken",
        "ListApprovals": "MaxResults NextToken",
        "GetHsmStatus": "",
        "ListNodes": "",
        "ListOperators": "",
        "ListQuotas": "AccountId",
        "ListServiceKeys": "MaxResults NextToken",
        "ProveKeyUnused": "KeyId Since Until",
        "RefuseApproval": "RequestId OperatorName Signature",
        "ReplayQuotas": "Profile AccountId StartTime EndTime",
        "RequestApproval": "Action Reason Operators OperatorNames Quorum SealId DomainKeyIds KeyId "
        "Policy",
        "RewrapTokens": "",
        "RotateDomainKey": "DomainName",
        "RemoveNode": "NodeId",
        "SearchKeys": "KeyManager Alias KeyId KeyState KeySpec KeyUsage Origin RegionKind "
        "CustomKeyStoreId TagKey TagValue MaxResults NextToken",
        "SearchEvents": "KeyId Caller EventName FailedOnly EventSource ErrorCode ReadOnly "
        "RequestId EventId StartTime EndTime AccountId Order StartAtEnd MaxResults NextToken",
        "SetKeyGuard": "Days",
        "SetQuota": "AccountId GroupName Value",
        "SetRootPassword": "",
        "SignIn": "",
        "SignOutEverywhere": "UserName RoleName",
        "SignApproval": "RequestId OperatorName Signature",
        "ZeroizeHsm": "",
        "TestKeyPolicy": "KeyId Policy Since",
        "GetServiceQuota": "ServiceCode QuotaCode",
        "ListServiceQuotas": "ServiceCode NextToken MaxResults QuotaCode QuotaAppliedAtLevel",
        "RequestServiceQuotaIncrease": "ServiceCode QuotaCode DesiredValue",
        **IAM_SHOWN,
    }.items()
}
# Members whose name is another one in records.
_SPELLED: Final = {"CloudHsmClusterId": "clusterId"}
# Of each member that is shown: its name, the name in records, another member that stands for it if
# it is left out, and what is shown if neither is given.
_ROWS: Final = {
    name: tuple(
        (
            member,
            _SPELLED.get(member, member[:1].lower() + member[1:]),
            _SYNONYMS.get(member),
            _DEFAULTS.get(name, {}).get(member),
        )
        for member in members
    )
    for name, members in SHOWN.items()
}


def request_parameters(call: Call) -> dict[str, Any] | None:
    """Return the members that may be shown, in lower camel case; None if there are none."""
    given = call.input
    parameters: dict[str, Any] = {}
    for member, name, synonym, default in _ROWS.get(call.operation, ()):
        value = getattr(given, member)
        if value is None:
            if default is None:
                continue
            said = None if synonym is None else getattr(given, synonym)
            value = default if said is None else said
        parameters[name] = value if value.__class__ in _PLAIN else _lowered(value)
    return parameters or None


_PLAIN: Final = frozenset((str, int, bool, dict))


def _lowered(value: Any) -> Any:
    if isinstance(value, Struct):
        members = {name: getattr(value, name) for name in value.__struct_fields__}
        return {
            name[:1].lower() + name[1:]: _lowered(inner)
            for name, inner in members.items()
            if inner is not None
        }
    if isinstance(value, float):  # the only ones there are
        return element_date(value)
    if isinstance(value, list):
        return [_lowered(inner) for inner in value]
    return value
