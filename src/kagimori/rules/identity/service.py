"""Service principals: the names of services that act for callers.

Source: KMS Developer Guide, "Key policies in AWS KMS" and "Condition keys for AWS KMS"; IAM User
Guide, reference_policies_elements_principal ("AWS service principals").
"""

import re
from typing import Final

SERVICE_NAME: Final = re.compile(r"[a-z][a-z0-9-]{1,62}")
SUFFIX: Final = "amazonaws.com"


def service_principal(service: str) -> str:
    """Return `s3.amazonaws.com` for `s3`, the name that signatures for it have in their scope."""
    return f"{service}.{SUFFIX}"


def via_service(service: str, region: str) -> str:
    """Return the value of kms:ViaService: `s3.eu-central-1.amazonaws.com`, in every partition."""
    return f"{service}.{region}.{SUFFIX}"
