"""Token processes of a server: started for what the settings name, kept, and ended with it."""

import os
import signal
import time

import pytest

import serving
from kit.softhsm import needs_softhsm, soft_tokens

pytestmark = needs_softhsm


@pytest.fixture
def soft(tmp_path):
    return soft_tokens(tmp_path / "soft", "one")


def settings_text(soft, **more):
    options = soft.options("one")
    lines = [
        "[tokens.vault]",
        f'module = "{options.module}"',
        'label = "one"',
        f'pin_file = "{options.pin_file}"',
        f'paths = ["{soft.folder}"]',
        *(f"{name} = {value}" for name, value in more.items()),
        "[tokens.vault.environment]",
        *(f'{name} = "{value}"' for name, value in soft.environment.items()),
    ]
    return "\n".join(lines) + "\n"


def until(function):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = function()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("it did not come to that")


def test_a_token_process_is_started_again_when_it_dies_and_ends_with_the_server(soft, tmp_path):
    config = tmp_path / "kagimori.toml"
    config.write_text(settings_text(soft))
    with serving.served("--config", config) as server:
        first = server.pids["token-vault"]
        os.kill(first, signal.SIGKILL)
        second = until(lambda: server.pids.get("token-vault") not in (None, first) and server.pids)
        assert second["token-vault"] != first
        assert set(second) == {"hsm", "trail", "w0", "token-vault"}
        os.kill(second["token-vault"], 0)
        assert server.client().create_key()["KeyMetadata"]["KeyState"] == "Enabled"
        assert server.stop() == 0
        with pytest.raises(ProcessLookupError):
            os.kill(second["token-vault"], 0)


def test_a_token_that_cannot_be_loaded_keeps_no_server_from_starting(soft, tmp_path):
    config = tmp_path / "kagimori.toml"
    (soft.folder / "one.pin").write_text("wrong")
    config.write_text(settings_text(soft).replace('label = "one"', 'label = "nobody"'))
    with serving.served("--config", config) as server:
        assert server.client().create_key()["KeyMetadata"]["KeyState"] == "Enabled"
