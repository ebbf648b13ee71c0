"""`kagimori serve --console`: the console starts with the server and ends with it, however it ends."""

import signal
import time
import urllib.error
import urllib.request

import pytest

from kit.console import READY
from serving import Server, get, init, temporary_folder


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_console_ends_with_the_server(number):
    with temporary_folder() as folder:
        made = init(folder / "data")
        arguments = ["serve", "--data", folder / "data", "--listen", "127.0.0.1:0"]
        server = Server([*arguments, "--console", "127.0.0.1:0"], data=folder / "data", made=made)
        try:
            server.wait_ready()
            line = server._lines.get(timeout=60)
            assert line.startswith(READY)
            url = line.removeprefix(READY).strip()
            assert get(f"{url}/sign-in")[0] == 200
        finally:
            if number == signal.SIGKILL:
                server.kill()
            else:
                server.stop()
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(f"{url}/sign-in", timeout=5).close()
            except urllib.error.URLError:
                return
            time.sleep(0.05)
        raise AssertionError("the console goes on")
