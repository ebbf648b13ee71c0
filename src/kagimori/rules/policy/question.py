"""The question that policies decide: an action on a resource, with the request's values.

Source: IAM User Guide, "Policy evaluation logic", step 1.
"""

from collections.abc import Mapping

from msgspec import Struct

from .values import NO_VALUES, Values


class Question(Struct, frozen=True, gc=False):
    """One action (`kms:Encrypt`, in AWS's spelling) on one resource (an ARN, or `*`).

    `encryption_context` is None for operations that take none; `source_arn` is the resource on
    whose behalf a service calls, None on direct calls. Both are read by grants; policies read
    `values`.
    """

    action: str
    resource: str = "*"
    values: Values = NO_VALUES
    encryption_context: Mapping[str, str] | None = None
    source_arn: str | None = None
