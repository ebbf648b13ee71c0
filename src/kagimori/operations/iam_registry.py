"""IAM's operations, by family."""

from typing import Final

from kagimori.operations import iam_access_keys, iam_boundaries, iam_groups, iam_tags, iam_users
from kagimori.operations.operation import Operation

IAM_OPERATIONS: Final[tuple[Operation, ...]] = (
    iam_users.CreateUser(),
    iam_users.GetUser(),
    iam_users.ListUsers(),
    iam_users.UpdateUser(),
    iam_users.DeleteUser(),
    iam_tags.TagUser(),
    iam_tags.UntagUser(),
    iam_tags.ListUserTags(),
    iam_access_keys.CreateAccessKey(),
    iam_access_keys.DeleteAccessKey(),
    iam_access_keys.UpdateAccessKey(),
    iam_access_keys.ListAccessKeys(),
    iam_access_keys.GetAccessKeyLastUsed(),
    iam_groups.CreateGroup(),
    iam_groups.GetGroup(),
    iam_groups.ListGroups(),
    iam_groups.UpdateGroup(),
    iam_groups.DeleteGroup(),
    iam_groups.AddUserToGroup(),
    iam_groups.RemoveUserFromGroup(),
    iam_groups.ListGroupsForUser(),
    iam_boundaries.PutUserPermissionsBoundary(),
    iam_boundaries.DeleteUserPermissionsBoundary(),
)
