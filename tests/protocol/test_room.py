"""Silent peers of one address keep nobody out of a real server, nor from its health and admin pages."""

import json
import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import serving


def silent_peers(stack, url, count):
    """Open connections that say nothing."""
    address = (urlsplit(url).hostname, urlsplit(url).port)
    for _ in range(count):
        stack.enter_context(socket.create_connection(address, timeout=10))


def test_silent_peers_keep_nobody_out(tmp_path):
    with serving.served("--connections", "50") as server, ExitStack() as stack:
        silent_peers(stack, server.url, 120)
        assert serving.get(f"{server.url}/healthz")[0] == 200
        assert serving.get(f"{server.url}/readyz")[0] == 200
        kms = server.client()
        assert kms.list_keys()["Keys"] == []
        kms.close()
        silent_peers(stack, server.running["admin_url"], 120)
        status = json.loads(serving.get(f"{server.running['admin_url']}/status")[2])
        assert status["status"] == "ready"
