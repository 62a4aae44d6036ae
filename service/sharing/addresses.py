"""Everything below `/shared/<token>` is this service as somebody sees it who holds that link.

The token is taken out of the address before a view is chosen and put in front of every address that Flask makes, so
that pages and pictures behind a link find each other without a cookie.
"""

import re
from collections.abc import Iterable
from typing import Any

from flask import Flask
from werkzeug.utils import append_slash_redirect

PREFIX = "/shared"
TOKEN = "unitatlas.share"  # noqa: S105 (the name of a place)
"""Where in the environment of a request the token is; no header of a client gets there."""
_SHARED = re.compile(rf"{PREFIX}/(?P<token>[^/]+)(?=/|\Z)")


class SharedAddresses:
    """The WSGI application behind links."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve a request, behind a link if its address says so."""
        path: str = environ.get("PATH_INFO", "")
        if (match := _SHARED.match(path)) is not None:
            if match[0] == path:
                redirected: Iterable[bytes] = append_slash_redirect(environ)(environ, start_response)
                return redirected
            environ[TOKEN] = match["token"]
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + match[0]
            environ["PATH_INFO"] = path[match.end() :]
        served: Iterable[bytes] = self._app(environ, start_response)
        return served


def init_app(app: Flask) -> None:
    """Serve the app behind links, too."""
    app.wsgi_app = SharedAddresses(app.wsgi_app)  # type: ignore[method-assign]


def shared_address(token: str, address: str) -> str:
    """Where somebody who holds the link finds an address."""
    return f"{PREFIX}/{token}{address}"
