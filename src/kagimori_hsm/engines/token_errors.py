"""Errors of PKCS#11 libraries, and the connection error that each comes to.

The names are AWS's, for the member ConnectionErrorCode of DescribeCustomKeyStores.

Source: KMS API Reference, CustomKeyStoresListEntry; PKCS #11 Cryptographic Token Interface Base
Specification, "Function return values".
"""

from typing import Final

from pkcs11 import exceptions

INVALID_CREDENTIALS: Final = "INVALID_CREDENTIALS"
USER_LOCKED_OUT: Final = "USER_LOCKED_OUT"
USER_NOT_FOUND: Final = "USER_NOT_FOUND"
CLUSTER_NOT_FOUND: Final = "CLUSTER_NOT_FOUND"
NETWORK_ERRORS: Final = "NETWORK_ERRORS"
INTERNAL_ERROR: Final = "INTERNAL_ERROR"

# Each further try with the same PIN may be the one that locks the token's user out.
NOT_TRIED_AGAIN: Final = frozenset({INVALID_CREDENTIALS, USER_LOCKED_OUT, USER_NOT_FOUND})

_BY_KIND: Final[dict[type[exceptions.PKCS11Error], str]] = {
    exceptions.PinIncorrect: INVALID_CREDENTIALS,
    exceptions.PinInvalid: INVALID_CREDENTIALS,
    exceptions.PinLenRange: INVALID_CREDENTIALS,
    exceptions.PinLocked: USER_LOCKED_OUT,
    exceptions.PinExpired: USER_LOCKED_OUT,
    exceptions.UserPinNotInitialized: USER_NOT_FOUND,
    exceptions.AnotherUserAlreadyLoggedIn: "USER_LOGGED_IN",
    exceptions.NoSuchToken: CLUSTER_NOT_FOUND,
    exceptions.MultipleTokensReturned: CLUSTER_NOT_FOUND,
    exceptions.SlotIDInvalid: CLUSTER_NOT_FOUND,
    exceptions.TokenNotPresent: CLUSTER_NOT_FOUND,
    exceptions.TokenNotRecognised: CLUSTER_NOT_FOUND,
    exceptions.DeviceError: NETWORK_ERRORS,
    exceptions.DeviceMemory: NETWORK_ERRORS,
    exceptions.DeviceRemoved: NETWORK_ERRORS,
    exceptions.FunctionFailed: NETWORK_ERRORS,
}

# A ciphertext that does not open; libraries also say so with errors that may mean anything.
BAD_CIPHERTEXT: Final = (
    exceptions.EncryptedDataInvalid,
    exceptions.EncryptedDataLenRange,
)


def connection_error(problem: exceptions.PKCS11Error) -> str:
    """Return the connection error for what a library raised while the token was connected to."""
    return _BY_KIND.get(type(problem), INTERNAL_ERROR)
