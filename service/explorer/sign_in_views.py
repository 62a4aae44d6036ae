"""Pages by which a browser is signed in and out."""

from typing import Any

import flask
from flask import Response

from service.access import guard, signing
from service.explorer.pages import pages, render, see_other
from service.explorer.schemas import NextSchema, SignInFormSchema


@pages.get("/sign-in")
@pages.requires(None)
@pages.arguments(NextSchema, location="query")
def show_sign_in(query: dict[str, Any]) -> str:
    """Ask for a key."""
    return render("sign_in.html", next=query["next"])


@pages.post("/sign-in")
@pages.requires(None)
@pages.arguments(SignInFormSchema, location="form")
def sign_in(form: dict[str, Any]) -> Response:
    """Sign the browser in by a key, and go where it wanted to go."""
    holder, token = signing.sign_in(form["key"])
    guard.let_in(guard.caller_of(holder))
    return signing.set_cookie(see_other(form["next"]), token)


@pages.post("/sign-out")
@pages.requires(None)
def sign_out() -> Response:
    """Sign the browser out."""
    if (holder := signing.sign_out()) is not None:
        guard.let_in(guard.caller_of(holder))
    return signing.unset_cookie(see_other(flask.url_for(".show_sign_in")))
