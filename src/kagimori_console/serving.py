"""Serves the console until a signal to end."""

import socket
from typing import Final

import uvicorn

from kagimori_console.app import make_app
from kagimori_console.options import Options

READY: Final = "kagimori console at "
LINK: Final = "sign root in once, within ten minutes: "
_BACKLOG: Final = 128
_STOP_SECONDS: Final = 5


def serve(options: Options, *, link_token: str | None = None) -> None:
    """Serve a console; its address is printed when it can be reached.

    Raises:
        OSError: the address cannot be listened at.
    """
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((options.host, options.port))
        listener.listen(_BACKLOG)
        port = listener.getsockname()[1]
        name = f"[{options.host}]" if ":" in options.host else options.host
        scheme = "http" if options.tls is None else "https"
        url = options.public_url or f"{scheme}://{name}:{port}"
        print(f"{READY}{url}", flush=True)  # noqa: T201
        if link_token is not None:
            print(f"{LINK}{url}/sign-in#token={link_token}", flush=True)  # noqa: T201
        settings = uvicorn.Config(
            make_app(options),
            access_log=False,
            log_level="warning",
            server_header=False,
            proxy_headers=options.public_url is not None,
            forwarded_allow_ips="127.0.0.1",
            timeout_graceful_shutdown=_STOP_SECONDS,
            ssl_certfile=None if options.tls is None else options.tls.certificate,
            ssl_keyfile=None if options.tls is None else options.tls.private_key,
        )
        uvicorn.Server(settings).run(sockets=[listener])
