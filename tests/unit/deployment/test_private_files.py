"""Private files that others can read keep a server from starting."""

import pytest
from msgspec.structs import replace

from kagimori.deployment.folder import Layout, Unusable
from kagimori.deployment.private_files import check_private_files
from kagimori.settings import AuditOptions, Serve, Settings, Tls

OURS = ("seal.key", "root-access-key.json", "tls/server.key")


@pytest.fixture
def data(tmp_path):
    data = tmp_path / "data"
    (data / "tls").mkdir(parents=True)
    data.chmod(0o700)
    for name in (*OURS, "kagimori.db"):
        (data / name).touch(0o600)
    (data / "named.key").touch(0o640)
    return data


def settings_of(data):
    named = str(data / "named.key")
    return Settings(tls=Tls(named, named), audit=AuditOptions(webhook_secret=named))


def test_what_init_writes_is_in_order(data):
    assert check_private_files(Layout(data), settings_of(data)) == []
    assert check_private_files(Layout(data / "none"), Settings()) == []


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602, 0o777])
def test_our_files_are_their_owners_alone(data, name, mode):
    (data / name).chmod(mode)
    with pytest.raises(Unusable, match=rf"{name} can be read by others .* chmod 600"):
        check_private_files(Layout(data), settings_of(data))


def test_a_named_file_may_be_a_groups_and_not_everybodys(data):
    (data / "named.key").chmod(0o644)
    with pytest.raises(Unusable, match=r"named\.key can be read by everybody"):
        check_private_files(Layout(data), settings_of(data))


@pytest.mark.parametrize("mode", [0o770, 0o720, 0o702, 0o777])
def test_nobody_else_may_change_the_folder(data, mode):
    data.chmod(mode)
    with pytest.raises(Unusable, match=r"can be changed by others .* chmod 700"):
        check_private_files(Layout(data), settings_of(data))


def test_a_folder_that_others_may_enter_is_warned_of(data):
    data.chmod(0o755)
    (warning,) = check_private_files(Layout(data), settings_of(data))
    assert "can be entered by others" in warning


def test_the_check_can_be_a_warning(data):
    (data / "seal.key").chmod(0o644)
    settings = replace(settings_of(data), serve=Serve(check_modes=False))
    (warning,) = check_private_files(Layout(data), settings)
    assert "seal.key" in warning


def test_a_store_that_was_restored_is_in_order_where_nobody_can_enter(data):
    (data / "kagimori.db").chmod(0o644)
    assert check_private_files(Layout(data), settings_of(data)) == []
    data.chmod(0o755)
    with pytest.raises(Unusable, match=r"kagimori\.db can be read by others"):
        check_private_files(Layout(data), settings_of(data))
