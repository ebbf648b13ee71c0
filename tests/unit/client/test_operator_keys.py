"""Operators' key files and what is shown of a request before it is signed."""

import stat

import pytest
import typer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from kagimori_cli import approval_requests
from kagimori_cli.operator_keys import (
    make_key,
    public_file_of,
    public_key_of,
    read_private_key,
    read_public_key,
)


def test_a_key_is_its_users_alone_and_its_public_half_stands_beside(tmp_path):
    file = tmp_path / "alice.key"
    public = make_key(file, None)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_public_key(str(public_file_of(file))) == public == read_public_key(public)
    assert public_key_of(read_private_key(file)) == public


def test_a_passphrase_protects_a_key_and_is_asked_for(tmp_path):
    file, asked = tmp_path / "alice.key", []
    public = make_key(file, b"correct horse")

    def ask(prompt):
        asked.append(prompt)
        return "correct horse"

    assert public_key_of(read_private_key(file, ask)) == public
    assert len(asked) == 1
    with pytest.raises(typer.Exit):
        read_private_key(file, lambda _: "wrong")


def test_no_file_is_written_over(tmp_path):
    file = tmp_path / "alice.key"
    make_key(file, None)
    before = file.read_bytes()
    with pytest.raises(typer.Exit):
        make_key(file, None)
    assert file.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x00\xff" * 100, None])
def test_what_is_no_key_ends_with_one_line(tmp_path, capsys, content):
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    for read in (read_private_key, lambda path: read_public_key(str(path))):
        with pytest.raises(typer.Exit):
            read(file)
        assert capsys.readouterr().err.count("\n") == 1


def test_another_kind_of_key_is_refused(tmp_path):
    file = tmp_path / "key"
    key = generate_private_key(SECP256R1())
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file.write_bytes(key.private_bytes(*pem, serialization.NoEncryption()))
    with pytest.raises(typer.Exit):
        read_private_key(file)


def test_a_request_cannot_hide_what_it_is_behind_control_characters(capsys):
    """A reason or a policy is somebody's text: it moves no cursor on an operator's terminal."""
    shown = {
        "RequestId": "00",
        "DeploymentId": "d",
        "Action": "ZeroizeHsm",
        "Resource": "r",
        "Parameters": {"p": "\x1b[2Jv"},
        "Reason": "harmless\nState             EXECUTED\r\x1b[1Areally\u202e",
        "MadeBy": "alice",
        "State": "OPEN",
        "MadeAt": 0,
        "NotBefore": 1.0,
        "ExpiresAt": 2,
        "Approvals": [],
        "Document": "{\n\x08}",
    }
    approval_requests.print_approval(shown, approval_requests.Output.TEXT)
    printed = capsys.readouterr().out
    assert all(one.isprintable() or one == "\n" for one in printed)
    assert "\\u001b[2Jv" in printed
    assert [line for line in printed.splitlines() if line.startswith("State")] == [
        "State             OPEN"
    ]
