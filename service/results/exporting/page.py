"""Reports: pages that need no network, sent piece by piece."""

import base64
import hashlib
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from flask import current_app
from markupsafe import Markup

from service.artifacts.store import ArtifactStore

MEDIA_TYPE = "text/html"
PIECES = 32
"""Parts of a template that are sent together."""
SCRIPT = (files("service") / "templates" / "report.js").read_text()
"""The only script that a page lets run."""


def write_page(template: str, **values: Any) -> Iterator[bytes]:
    """The page that a template makes of these values."""
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    script = Markup(SCRIPT)  # noqa: S704 (a file of ours)
    stream = current_app.jinja_env.get_template(template).stream(script=script, script_digest=digest, **values)
    stream.enable_buffering(PIECES)
    return (piece.encode() for piece in stream)


def inline(store: ArtifactStore, digest: str | None, media_type: str) -> str | None:
    """A stored picture as the address of an image, None where it is not there."""
    if digest is None or not store.exists(digest):
        return None
    data = base64.b64encode(store.path(digest).read_bytes()).decode()
    return f"data:{media_type};base64,{data}"
