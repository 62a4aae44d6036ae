"""Headers that keep a browser from doing with a reply what nobody meant."""

from flask import Flask, Response

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # told nothing, a browser calls the origin of our own forms `null`
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "private, no-cache",
}
"""A view that sets one of them itself knows better."""


def init_app(app: Flask) -> None:
    """Put the headers on every reply of the app."""
    app.after_request(_protect)


def _protect(reply: Response) -> Response:
    for name, value in HEADERS.items():
        reply.headers.setdefault(name, value)
    return reply
