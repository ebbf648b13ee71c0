"""The causes for which the holder of a custom key store refuses, and AWS's error for each.

A cause has up to four faces: the error of a cryptographic operation, of CreateKey, of an operation
that checks the store, and the code that a failed connection shows. The text of a cryptographic
refusal depends on the cause alone; what a proxy or token says itself is not passed on.

Source: KMS Developer Guide, "Troubleshooting external key stores"; the AWS KMS External Key Store
Proxy API specification, "Error codes"; KMS API Reference, CustomKeyStoresListEntry.
"""

from enum import Enum, auto, unique
from typing import Final, NamedTuple

from kagimori.rules.key_stores import refusals as stores
from kagimori.rules.refusal import (
    DependencyTimeoutException,
    KeyUnavailableException,
    KMSInternalException,
    KMSInvalidStateException,
    Refusal,
    UnsupportedOperationException,
)


@unique
class Cause(Enum):
    """A cause for which a holder outside our own HSM does not perform a command."""

    INVALID_RESPONSE = auto()
    KEY_DISABLED = auto()
    INVALID_CIPHERTEXT = auto()
    INNER_CIPHERTEXT = auto()  # the proxy answered something that is not what we gave it
    KEY_USAGE = auto()
    KEY_CONFIGURATION = auto()  # no AES-256 key that encrypts and decrypts and is enabled
    AUTHENTICATION = auto()
    ACCESS_DENIED = auto()
    KEY_NOT_FOUND = auto()
    URI_PATH = auto()
    UNSUPPORTED_BY_PROXY = auto()
    DEPENDENCY_TIMEOUT = auto()
    THROTTLED = auto()
    PROXY_INTERNAL = auto()
    NO_KEY_MANAGER = auto()  # every instance of the external key manager is unavailable
    NOT_REACHABLE = auto()
    NO_TLS = auto()
    TIMED_OUT = auto()
    NOT_CONNECTED = auto()
    VPC_SERVICE_NOT_FOUND = auto()
    CLUSTER_NOT_FOUND = auto()
    CLUSTER_NOT_ACTIVE = auto()  # the token is not there, or not initialized
    CLUSTER_CONFIGURATION = auto()
    TRUST_ANCHOR = auto()
    NOT_RELATED = auto()  # another cluster than the one the store was made with, or a copy of it
    CREDENTIALS = auto()  # the password of the cluster's user
    USER_LOCKED_OUT = auto()
    USER_NOT_FOUND = auto()
    CLUSTER_NOT_REACHABLE = auto()
    KEY_NOT_IN_CLUSTER = auto()  # its material was deleted there
    HSM_FAILED = auto()
    UNSUPPORTED = auto()


class Faces(NamedTuple):
    """The errors for one cause; `text` is of cryptographic operations, others have none."""

    using: type[Refusal]
    text: str | None
    creating_key: type[Refusal]
    checking: type[Refusal]
    connection_error_code: str


_INVALID, _STORE = KMSInvalidStateException, stores.CustomKeyStoreInvalidStateException
_UNREACHABLE: Final = stores.XksProxyUriUnreachableException
_RESPONSE: Final = stores.XksProxyInvalidResponseException
_CONFIGURATION: Final = stores.XksProxyInvalidConfigurationException
_UNAVAILABLE: Final = KeyUnavailableException
_ADMINISTRATOR: Final = (
    "If you see this error repeatedly, report it to your external key store proxy administrator."
)
_NOT_UNDERSTOOD: Final = (
    f"AWS KMS cannot interpret the response from the external key store proxy. {_ADMINISTRATOR}"
)
_NO_MANAGER: Final = (
    "The external key store proxy rejected the request because it cannot communicate with the "
    "external key manager. Verify that the external key store proxy configuration is correct and "
    "that the external key manager is available."
)

FACES: Final[dict[Cause, Faces]] = {
    Cause.INVALID_RESPONSE: Faces(
        _INVALID, _NOT_UNDERSTOOD, _STORE, _RESPONSE, "XKS_PROXY_INVALID_RESPONSE"
    ),
    Cause.KEY_DISABLED: Faces(
        _INVALID,
        "The external key associated with this KMS key in an external key store is not enabled in "
        "the external key manager. Enable the external key in the external key manager and retry "
        "the request.",
        stores.XksKeyInvalidConfigurationException,
        _RESPONSE,
        "XKS_PROXY_INVALID_RESPONSE",
    ),
    Cause.INVALID_CIPHERTEXT: Faces(
        _INVALID,
        "The external key store proxy rejected the request because the specified ciphertext or "
        "encryption context is corrupted, missing, or otherwise invalid.",
        _STORE,
        _RESPONSE,
        "XKS_PROXY_INVALID_RESPONSE",
    ),
    Cause.INNER_CIPHERTEXT: Faces(
        _INVALID,
        "The ciphertext that the external key store proxy submitted for decryption, or the "
        "encryption context, is corrupted, missing, or otherwise invalid.",
        _STORE,
        _RESPONSE,
        "XKS_PROXY_INVALID_RESPONSE",
    ),
    Cause.KEY_USAGE: Faces(
        _INVALID,
        "The external key associated with this KMS key in an external key store does not support "
        "the requested operation. Enable the operation on the key in your external key manager, "
        "and try the request again.",
        stores.XksKeyInvalidConfigurationException,
        _RESPONSE,
        "XKS_PROXY_INVALID_RESPONSE",
    ),
    Cause.KEY_CONFIGURATION: Faces(
        _INVALID,
        _NOT_UNDERSTOOD,
        stores.XksKeyInvalidConfigurationException,
        _RESPONSE,
        "XKS_PROXY_INVALID_RESPONSE",
    ),
    Cause.AUTHENTICATION: Faces(
        _INVALID,
        "The external key store proxy rejected the request because it could not authenticate AWS "
        "KMS. Verify the XKS proxy authentication credentials for your external key store and "
        "update if necessary.",
        _STORE,
        stores.XksProxyIncorrectAuthenticationCredentialException,
        "INVALID_CREDENTIALS",
    ),
    Cause.ACCESS_DENIED: Faces(
        _INVALID,
        "The external key store proxy denied access to the operation. Verify that the user and the "
        "external key are both authorized for this operation, and try the request again.",
        _INVALID,
        _RESPONSE,
        "XKS_PROXY_ACCESS_DENIED",
    ),
    Cause.KEY_NOT_FOUND: Faces(
        _INVALID,
        "The external key associated with this KMS key in an external key store was not found in "
        "its external key manager. If the external key ID associated with this KMS key is "
        "incorrect, create a new KMS key with the correct external key ID.",
        stores.XksKeyNotFoundException,
        _RESPONSE,
        "XKS_PROXY_INVALID_RESPONSE",
    ),
    Cause.URI_PATH: Faces(
        _INVALID,
        "The external key store proxy rejected the request because of an invalid URI path. Verify "
        "the URI path for your external key store and update if necessary.",
        _STORE,
        _CONFIGURATION,
        "XKS_PROXY_INVALID_CONFIGURATION",
    ),
    Cause.UNSUPPORTED_BY_PROXY: Faces(
        _INVALID,
        "The external key store proxy rejected the request because it does not support the "
        f"requested operation. {_ADMINISTRATOR}",
        _STORE,
        _RESPONSE,
        "XKS_PROXY_INVALID_RESPONSE",
    ),
    Cause.DEPENDENCY_TIMEOUT: Faces(
        _INVALID,
        "The external key store proxy did not respond to the request in the time allotted. Retry "
        f"the request. {_ADMINISTRATOR}",
        _STORE,
        _UNREACHABLE,
        "XKS_PROXY_TIMED_OUT",
    ),
    Cause.THROTTLED: Faces(
        _INVALID,
        "The external key store proxy rejected the request due to a very high request rate. Reduce "
        "the frequency of your calls using KMS keys in this external key store.",
        _STORE,
        _UNREACHABLE,
        "XKS_PROXY_NOT_REACHABLE",
    ),
    Cause.PROXY_INTERNAL: Faces(
        _INVALID, _NO_MANAGER, _STORE, _RESPONSE, "XKS_PROXY_INVALID_RESPONSE"
    ),
    Cause.NO_KEY_MANAGER: Faces(
        _INVALID, _NO_MANAGER, _STORE, _UNREACHABLE, "XKS_PROXY_NOT_REACHABLE"
    ),
    Cause.NOT_REACHABLE: Faces(
        _INVALID,
        "AWS KMS cannot communicate with the external key store proxy. This might be a transient "
        "network issue. If you see this error repeatedly, verify that your external key store "
        "proxy is active and is connected to the network, and that its endpoint URI is correct in "
        "your external keystore.",
        _STORE,
        _UNREACHABLE,
        "XKS_PROXY_NOT_REACHABLE",
    ),
    Cause.NO_TLS: Faces(
        _INVALID,
        "AWS KMS cannot establish a TLS connection to the external key store proxy. Verify the TLS "
        "configuration, including its certificate.",
        _STORE,
        _UNREACHABLE,
        "XKS_PROXY_INVALID_TLS_CONFIGURATION",
    ),
    Cause.TIMED_OUT: Faces(
        _INVALID,
        "AWS KMS rejected the request because the external key store proxy did not respond in "
        f"time. Retry the request. {_ADMINISTRATOR}",
        _STORE,
        _UNREACHABLE,
        "XKS_PROXY_TIMED_OUT",
    ),
    Cause.NOT_CONNECTED: Faces(
        _INVALID,
        "This KMS key is in a custom key store that is not connected to its external key store "
        "proxy. Connect the external key store and try the request again.",
        _STORE,
        _UNREACHABLE,
        "XKS_PROXY_NOT_REACHABLE",
    ),
    Cause.VPC_SERVICE_NOT_FOUND: Faces(
        _INVALID,
        "AWS KMS cannot communicate with the external key store proxy. This might be a transient "
        "network issue. If you see this error repeatedly, verify that your external key store "
        "proxy is active and is connected to the network, and that its endpoint URI is correct in "
        "your external keystore.",
        _STORE,
        stores.XksProxyVpcEndpointServiceNotFoundException,
        "XKS_VPC_ENDPOINT_SERVICE_NOT_FOUND",
    ),
    Cause.CLUSTER_NOT_FOUND: Faces(
        _UNAVAILABLE,
        None,
        stores.CloudHsmClusterInvalidConfigurationException,
        stores.CloudHsmClusterNotFoundException,
        "CLUSTER_NOT_FOUND",
    ),
    Cause.CLUSTER_NOT_ACTIVE: Faces(
        _UNAVAILABLE,
        None,
        stores.CloudHsmClusterInvalidConfigurationException,
        stores.CloudHsmClusterNotActiveException,
        "INSUFFICIENT_CLOUDHSM_HSMS",
    ),
    Cause.CLUSTER_CONFIGURATION: Faces(
        _UNAVAILABLE,
        None,
        stores.CloudHsmClusterInvalidConfigurationException,
        stores.CloudHsmClusterInvalidConfigurationException,
        "INSUFFICIENT_CLOUDHSM_HSMS",
    ),
    Cause.TRUST_ANCHOR: Faces(
        _UNAVAILABLE,
        None,
        _STORE,
        stores.IncorrectTrustAnchorException,
        "INTERNAL_ERROR",
    ),
    Cause.NOT_RELATED: Faces(
        _UNAVAILABLE,
        None,
        _STORE,
        stores.CloudHsmClusterNotRelatedException,
        "INTERNAL_ERROR",
    ),
    Cause.CREDENTIALS: Faces(
        _UNAVAILABLE, None, _STORE, KMSInternalException, "INVALID_CREDENTIALS"
    ),
    Cause.USER_LOCKED_OUT: Faces(
        _UNAVAILABLE, None, _STORE, KMSInternalException, "USER_LOCKED_OUT"
    ),
    Cause.USER_NOT_FOUND: Faces(_UNAVAILABLE, None, _STORE, KMSInternalException, "USER_NOT_FOUND"),
    Cause.CLUSTER_NOT_REACHABLE: Faces(
        _INVALID,
        "KMS cannot communicate with your CloudHSM cluster",
        _STORE,
        KMSInternalException,
        "NETWORK_ERRORS",
    ),
    Cause.KEY_NOT_IN_CLUSTER: Faces(
        _INVALID,
        "The key material of this KMS key is not in your CloudHSM cluster",
        _STORE,
        KMSInternalException,
        "INTERNAL_ERROR",
    ),
    Cause.HSM_FAILED: Faces(
        DependencyTimeoutException,
        None,
        DependencyTimeoutException,
        KMSInternalException,
        "INTERNAL_ERROR",
    ),
    Cause.UNSUPPORTED: Faces(
        UnsupportedOperationException,
        None,
        UnsupportedOperationException,
        UnsupportedOperationException,
        "INTERNAL_ERROR",
    ),
}


def refusal_of_use(cause: Cause) -> Refusal:
    """Return the refusal of a cryptographic operation."""
    faces = FACES[cause]
    return faces.using(faces.text)


def refusal_of_creation(cause: Cause) -> Refusal:
    """Return the refusal of CreateKey."""
    faces = FACES[cause]
    return faces.creating_key(faces.text)


def refusal_of_check(cause: Cause) -> Refusal:
    """Return the refusal of an operation that checks the store itself."""
    faces = FACES[cause]
    return faces.checking(faces.text)
