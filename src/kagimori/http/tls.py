"""TLS for the front door: the server's context."""

import ssl
from pathlib import Path
from typing import Final

# TLS 1.2: ephemeral keys and authenticated encryption only. TLS 1.3 has nothing else.
CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"


def server_context(certificate_file: Path, key_file: Path) -> ssl.SSLContext:
    """Return a context for TLS 1.2 and 1.3, forward-secret suites only, speaking HTTP/1.1.

    Raises:
        OSError: a file cannot be read; ssl.SSLError is one, for files that do not match.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(certificate_file, key_file)
    return context
