"""The table of connection states of a custom key store: which operations work in which state.

Source: KMS API Reference, CustomKeyStoreInvalidStateException, UpdateCustomKeyStore and
CustomKeyStoresListEntry (ConnectionState).
"""

from enum import StrEnum
from typing import Final

from kagimori.rules.key_stores.refusals import CustomKeyStoreInvalidStateException


class ConnectionState(StrEnum):
    DISCONNECTED = "DISCONNECTED"
    CONNECTING = "CONNECTING"
    CONNECTED = "CONNECTED"
    FAILED = "FAILED"
    DISCONNECTING = "DISCONNECTING"


# The states in which each operation works. `UpdateWhileConnected` is an update of members that may
# change while the store is connected (`properties.py`).
WORKS_IN: Final[dict[str, frozenset[ConnectionState]]] = {
    "ConnectCustomKeyStore": frozenset(
        {ConnectionState.DISCONNECTED, ConnectionState.CONNECTING, ConnectionState.CONNECTED}
    ),
    "DisconnectCustomKeyStore": frozenset(
        {ConnectionState.CONNECTING, ConnectionState.CONNECTED, ConnectionState.FAILED}
    ),
    "UpdateCustomKeyStore": frozenset({ConnectionState.DISCONNECTED}),
    "UpdateWhileConnected": frozenset({ConnectionState.DISCONNECTED, ConnectionState.CONNECTED}),
    "DeleteCustomKeyStore": frozenset({ConnectionState.DISCONNECTED}),
    "CreateKey": frozenset({ConnectionState.CONNECTED}),
    "GenerateRandom": frozenset({ConnectionState.CONNECTED}),
}

# The events in the life of a connection, and the state that each leads to from another.
# `connected`, `failed` and `released` are what the service itself finds.
LEADS_TO: Final[dict[tuple[str, ConnectionState], ConnectionState]] = {
    ("connect", ConnectionState.DISCONNECTED): ConnectionState.CONNECTING,
    ("connected", ConnectionState.CONNECTING): ConnectionState.CONNECTED,
    ("failed", ConnectionState.CONNECTING): ConnectionState.FAILED,
    ("disconnect", ConnectionState.CONNECTING): ConnectionState.DISCONNECTING,
    ("disconnect", ConnectionState.CONNECTED): ConnectionState.DISCONNECTING,
    ("disconnect", ConnectionState.FAILED): ConnectionState.DISCONNECTING,
    ("released", ConnectionState.DISCONNECTING): ConnectionState.DISCONNECTED,
}


def check_connection(operation: str, state: ConnectionState, key_store_id: str) -> None:
    """Check that an operation works in this state of the store.

    Raises:
        CustomKeyStoreInvalidStateException: it does not.
    """
    if state not in WORKS_IN[operation]:
        raise CustomKeyStoreInvalidStateException(
            f"Custom key store {key_store_id} is in an invalid state for this operation: "
            f"{state.value}."
        )


def after(event: str, state: ConnectionState) -> ConnectionState:
    """Return the state after an event; the same one if the event changes nothing there."""
    return LEADS_TO.get((event, state), state)
