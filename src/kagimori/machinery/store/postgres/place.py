"""The URL of a PostgreSQL store: what it may say, and how it is connected to.

It holds no password: a URL stands in lists of processes, in histories of shells and in messages.
A password comes from a file that the URL names (`password_file`, one line), or from what libpq
itself knows: `passfile`, the variable PGPASSFILE, a client certificate, the peer of a socket.
"""

import os
import ssl
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

from msgspec import Struct
from psycopg import Error
from psycopg.conninfo import conninfo_to_dict

PASSWORD_FILE: Final = "password_file"  # noqa: S105 - the name of a parameter
CONNECT_SECONDS: Final = 3
# A server that is gone without a word is noticed after some ten seconds, also by a reader.
_ALIVE: Final = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_MAY_SAY: Final = frozenset(
    {"host", "hostaddr", "port", "dbname", "user", "passfile", "connect_timeout"}
    | {"sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "ssl_min_protocol_version"}
    | {"channel_binding", "require_auth", "krbsrvname", "gssencmode"}
    | {"target_session_attrs", "load_balance_hosts"}
)
_FILES: Final = ("passfile", "sslrootcert", "sslcert", "sslkey", "sslcrl")
_SECRETS: Final = ("passfile", "sslkey")
_NOT_CHECKED: Final = ("disable", "allow", "prefer")
_ROOTS: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1", "")


class BadPlace(Exception):
    """A reason why a URL of PostgreSQL is not used, as one line for people."""


class PostgresPlace(Struct, frozen=True):
    """A place, as libpq takes it, and the file with the password, if one is named."""

    parameters: dict[str, Any]
    password_file: Path | None

    def __str__(self) -> str:
        user = f"{self.parameters['user']}@" if "user" in self.parameters else ""
        hosts = str(self.parameters.get("host", "")).replace("/", "%2F")
        return f"postgresql://{user}{hosts}/{self.parameters.get('dbname', '')}"

    @property
    def url(self) -> str:
        """The URL with all that it says, in one form."""
        said = {name: value for name, value in self.parameters.items() if name != "dbname"}
        if self.password_file is not None:
            said[PASSWORD_FILE] = self.password_file
        database = quote(str(self.parameters["dbname"]), safe="")
        return f"postgresql:///{database}?{urlencode(said, quote_via=quote)}"

    @property
    def secrets(self) -> list[Path]:
        """The files of which only the server may know what is in them."""
        named = [Path(str(self.parameters[name])) for name in _SECRETS if name in self.parameters]
        return named if self.password_file is None else [*named, self.password_file]

    @property
    def files(self) -> list[Path]:
        """The files that a process must be able to read in order to connect."""
        named = [Path(str(self.parameters[name])) for name in _FILES if name in self.parameters]
        return named if self.password_file is None else [*named, self.password_file]

    def arguments(self, application: str) -> dict[str, Any]:
        """Return the parameters to connect with; the password is read anew each time.

        Raises:
            OSError: its file cannot be read.
        """
        arguments = {**_ALIVE, **self.parameters, "application_name": application}
        if self.password_file is not None:
            arguments["password"] = self.password_file.read_text().rstrip("\r\n")
        return arguments


def read_place(url: str, password_file: Path | None = None) -> PostgresPlace:
    """Return the place that a URL names; the file with the password may be given beside it.

    Raises:
        BadPlace: it says what it may not; the message shows nothing of a password.
    """
    try:
        before, _, query = url.partition("?")
        pairs = parse_qsl(query, keep_blank_values=True)
        named = dict(pairs).get(PASSWORD_FILE)
        rest = urlencode([pair for pair in pairs if pair[0] != PASSWORD_FILE], quote_via=quote)
        parameters = conninfo_to_dict(f"{before}?{rest}")
    except (Error, ValueError):  # their texts show the URL
        raise BadPlace("the URL of the store cannot be read") from None
    if "password" in parameters or "sslpassword" in parameters:
        raise BadPlace("the URL of the store must hold no password: name a file that does")
    others = sorted(set(parameters) - _MAY_SAY)
    if others:
        raise BadPlace(f"the URL of the store may not say {others[0]}")
    if not parameters.get("dbname"):
        raise BadPlace("the URL of the store names no database")
    parameters.setdefault("connect_timeout", CONNECT_SECONDS)
    # Of several hosts, the one that takes writes; also after it has become another one.
    parameters.setdefault("target_session_attrs", "read-write")
    _check_tls(parameters)
    for name in _FILES:
        if name in parameters and parameters[name] != "system":
            parameters[name] = str(Path(str(parameters[name])).absolute())
    file = password_file or (None if named is None else Path(named))
    return PostgresPlace(parameters, None if file is None else file.absolute())


def _check_tls(parameters: dict[str, Any]) -> None:
    """See to it that a server on another machine is connected to with TLS, and is who it says."""
    hosts = str(parameters.get("host", "")).split(",")
    hosts += str(parameters.get("hostaddr", "")).split(",")
    if all(host in _LOOPBACK or host.startswith(("/", "@")) for host in hosts):
        return
    mode = parameters.setdefault("sslmode", "verify-full")
    if mode in _NOT_CHECKED:
        raise BadPlace(f"sslmode={mode} is for a database on this machine; use verify-full")
    if mode == "verify-full":
        parameters.setdefault("sslrootcert", _system_roots())


def _system_roots() -> str:
    """Return the file with the system's authorities; libpq's own TLS may look elsewhere for it."""
    known = [os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, *_ROOTS]
    return next((file for file in known if file and Path(file).is_file()), "system")
