"""The members of IAM's requests that records show: names, policies and tags; nothing secret.

Passwords and the codes of MFA devices are not in it, and so are never shown. Source: CloudTrail's
records of IAM (IAM User Guide, cloudtrail-integration).
"""

from typing import Final

IAM_SHOWN: Final[dict[str, str]] = {
    "AddClientIDToOpenIDConnectProvider": "OpenIDConnectProviderArn ClientID",
    "AddRoleToInstanceProfile": "InstanceProfileName RoleName",
    "AddUserToGroup": "GroupName UserName",
    "AttachGroupPolicy": "GroupName PolicyArn",
    "AttachRolePolicy": "RoleName PolicyArn",
    "AttachUserPolicy": "UserName PolicyArn",
    "CreateAccessKey": "UserName",
    "CreateAccountAlias": "AccountAlias",
    "CreateGroup": "Path GroupName",
    "CreateInstanceProfile": "InstanceProfileName Path Tags",
    "CreateLoginProfile": "UserName PasswordResetRequired MaxSigninSessionDuration",
    "CreateOpenIDConnectProvider": (
        "Url ClientIDList ThumbprintList Tags ContextProvider IdentityCenterInstanceArn"
    ),
    "CreatePolicy": "PolicyName Path PolicyDocument Description Tags",
    "CreatePolicyVersion": "PolicyArn PolicyDocument SetAsDefault",
    "CreateRole": (
        "Path RoleName AssumeRolePolicyDocument Description MaxSessionDuration "
        "MaxSigninSessionDuration PermissionsBoundary Tags"
    ),
    "CreateUser": "Path UserName PermissionsBoundary Tags",
    "CreateVirtualMFADevice": "Path VirtualMFADeviceName Tags",
    "DeactivateMFADevice": "UserName SerialNumber",
    "DeleteAccessKey": "UserName AccessKeyId",
    "DeleteAccountAlias": "AccountAlias",
    "DeleteGroup": "GroupName",
    "DeleteGroupPolicy": "GroupName PolicyName",
    "DeleteInstanceProfile": "InstanceProfileName",
    "DeleteLoginProfile": "UserName",
    "DeleteOpenIDConnectProvider": "OpenIDConnectProviderArn",
    "DeletePolicy": "PolicyArn",
    "DeletePolicyVersion": "PolicyArn VersionId",
    "DeleteRole": "RoleName",
    "DeleteRolePermissionsBoundary": "RoleName",
    "DeleteRolePolicy": "RoleName PolicyName",
    "DeleteUser": "UserName",
    "DeleteUserPermissionsBoundary": "UserName",
    "DeleteUserPolicy": "UserName PolicyName",
    "DeleteVirtualMFADevice": "SerialNumber",
    "DetachGroupPolicy": "GroupName PolicyArn",
    "DetachRolePolicy": "RoleName PolicyArn",
    "DetachUserPolicy": "UserName PolicyArn",
    "EnableMFADevice": "UserName SerialNumber",
    "GetAccessKeyLastUsed": "AccessKeyId",
    "GetAccountAuthorizationDetails": "Filter MaxItems Marker",
    "GetGroup": "GroupName Marker MaxItems",
    "GetGroupPolicy": "GroupName PolicyName",
    "GetInstanceProfile": "InstanceProfileName",
    "GetLoginProfile": "UserName",
    "GetMFADevice": "SerialNumber UserName",
    "GetOpenIDConnectProvider": "OpenIDConnectProviderArn",
    "GetPolicy": "PolicyArn",
    "GetPolicyVersion": "PolicyArn VersionId",
    "GetRole": "RoleName",
    "GetRolePolicy": "RoleName PolicyName",
    "GetUser": "UserName",
    "GetUserPolicy": "UserName PolicyName",
    "ListAccessKeys": "UserName Marker MaxItems",
    "ListAccountAliases": "Marker MaxItems",
    "ListAttachedGroupPolicies": "GroupName PathPrefix Marker MaxItems",
    "ListAttachedRolePolicies": "RoleName PathPrefix Marker MaxItems",
    "ListAttachedUserPolicies": "UserName PathPrefix Marker MaxItems",
    "ListEntitiesForPolicy": "PolicyArn EntityFilter PathPrefix PolicyUsageFilter Marker MaxItems",
    "ListGroupPolicies": "GroupName Marker MaxItems",
    "ListGroups": "PathPrefix Marker MaxItems",
    "ListGroupsForUser": "UserName Marker MaxItems",
    "ListInstanceProfileTags": "InstanceProfileName Marker MaxItems",
    "ListInstanceProfiles": "PathPrefix Marker MaxItems",
    "ListInstanceProfilesForRole": "RoleName Marker MaxItems",
    "ListMFADeviceTags": "SerialNumber Marker MaxItems",
    "ListMFADevices": "UserName Marker MaxItems",
    "ListOpenIDConnectProviderTags": "OpenIDConnectProviderArn Marker MaxItems",
    "ListPolicies": "Scope OnlyAttached PathPrefix PolicyUsageFilter Marker MaxItems",
    "ListPolicyTags": "PolicyArn Marker MaxItems",
    "ListPolicyVersions": "PolicyArn Marker MaxItems",
    "ListRolePolicies": "RoleName Marker MaxItems",
    "ListRoleTags": "RoleName Marker MaxItems",
    "ListRoles": "PathPrefix Marker MaxItems",
    "ListUserPolicies": "UserName Marker MaxItems",
    "ListUserTags": "UserName Marker MaxItems",
    "ListUsers": "PathPrefix Marker MaxItems",
    "ListVirtualMFADevices": "AssignmentStatus Marker MaxItems",
    "PutGroupPolicy": "GroupName PolicyName PolicyDocument",
    "PutRolePermissionsBoundary": "RoleName PermissionsBoundary",
    "PutRolePolicy": "RoleName PolicyName PolicyDocument",
    "PutUserPermissionsBoundary": "UserName PermissionsBoundary",
    "PutUserPolicy": "UserName PolicyName PolicyDocument",
    "RemoveClientIDFromOpenIDConnectProvider": "OpenIDConnectProviderArn ClientID",
    "RemoveRoleFromInstanceProfile": "InstanceProfileName RoleName",
    "RemoveUserFromGroup": "GroupName UserName",
    "ResyncMFADevice": "UserName SerialNumber",
    "SetDefaultPolicyVersion": "PolicyArn VersionId",
    "TagInstanceProfile": "InstanceProfileName Tags",
    "TagMFADevice": "SerialNumber Tags",
    "TagOpenIDConnectProvider": "OpenIDConnectProviderArn Tags",
    "TagPolicy": "PolicyArn Tags",
    "TagRole": "RoleName Tags",
    "TagUser": "UserName Tags",
    "UntagInstanceProfile": "InstanceProfileName TagKeys",
    "UntagMFADevice": "SerialNumber TagKeys",
    "UntagOpenIDConnectProvider": "OpenIDConnectProviderArn TagKeys",
    "UntagPolicy": "PolicyArn TagKeys",
    "UntagRole": "RoleName TagKeys",
    "UntagUser": "UserName TagKeys",
    "UpdateAccessKey": "UserName AccessKeyId Status",
    "UpdateAccountPasswordPolicy": (
        "MinimumPasswordLength RequireSymbols RequireNumbers RequireUppercaseCharacters "
        "RequireLowercaseCharacters AllowUsersToChangePassword MaxPasswordAge "
        "PasswordReusePrevention HardExpiry"
    ),
    "UpdateAssumeRolePolicy": "RoleName PolicyDocument",
    "UpdateGroup": "GroupName NewPath NewGroupName",
    "UpdateLoginProfile": (
        "UserName PasswordResetRequired MaxSigninSessionDuration ResetMaxSigninSessionDuration"
    ),
    "UpdateOpenIDConnectProviderThumbprint": "OpenIDConnectProviderArn ThumbprintList",
    "UpdateRole": (
        "RoleName Description MaxSessionDuration MaxSigninSessionDuration "
        "ResetMaxSigninSessionDuration"
    ),
    "UpdateRoleDescription": "RoleName Description",
    "UpdateUser": "UserName NewPath NewUserName",
    "ListSSHPublicKeys": "UserName Marker MaxItems",
    "ListServiceSpecificCredentials": "UserName ServiceName AllUsers Marker MaxItems",
    "ListSigningCertificates": "UserName Marker MaxItems",
    "GetContextKeysForCustomPolicy": "PolicyInputList",
    "GetContextKeysForPrincipalPolicy": "PolicySourceArn PolicyInputList",
    "SimulateCustomPolicy": (
        "PolicyInputList PermissionsBoundaryPolicyInputList ActionNames ResourceArns "
        "ResourcePolicy ResourceOwner CallerArn ContextEntries ResourceHandlingOption MaxItems "
        "Marker"
    ),
    "SimulatePrincipalPolicy": (
        "PolicySourceArn PolicyInputList PermissionsBoundaryPolicyInputList PolicyExclusionList "
        "ActionNames ResourceArns ResourcePolicy ResourceOwner CallerArn ContextEntries "
        "ResourceHandlingOption MaxItems Marker"
    ),
}
