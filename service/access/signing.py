"""Signing a browser in and out by a key: a cookie that scripts cannot read and other sites' pages cannot use."""

from flask import Request, Response, request

from service.access import queries
from service.access.keys import digest_of, make_token, parse_key
from service.access.queries import SIGN_IN_LIFETIME, Holder
from service.context import db
from service.errors import Forbidden, Unauthorized

COOKIE = "unitatlas_session"
FOREIGN = "a page of another site sent this; open the page here and do it again"


def sign_in(key_text: str) -> tuple[Holder, str]:
    """Whose key this is, and the value of the cookie that stands for it; raise Unauthorized, Forbidden."""
    if not from_own_page(request):
        raise Forbidden(FOREIGN)
    key = parse_key(key_text.strip())
    holder = None if key is None else queries.find_holder(db(), key)
    if holder is None:
        raise Unauthorized("this is no whole key, or one that is unknown, revoked or expired")
    token = make_token()
    queries.sign_in(db(), holder, digest_of(token))
    return holder, token


def sign_out() -> Holder | None:
    """Forget the browser, and say whom it spoke for; raise Forbidden."""
    if not from_own_page(request):
        raise Forbidden(FOREIGN)
    digest = digest_of(request.cookies.get(COOKIE, ""))
    holder = queries.find_signed_in(db(), digest)
    queries.sign_out(db(), digest)
    return holder


def presented(asking: Request) -> str | None:
    """The digest of the cookie that came with a request, None where none did."""
    return digest_of(asking.cookies[COOKIE]) if COOKIE in asking.cookies else None


def set_cookie(reply: Response, token: str) -> Response:
    """Have the browser keep the cookie: for this site alone, hidden from scripts, over TLS where we are asked by it."""
    secure = request.is_secure or request.headers.get("X-Forwarded-Proto") == "https"
    seconds = int(SIGN_IN_LIFETIME.total_seconds())
    reply.set_cookie(COOKIE, token, max_age=seconds, path="/", secure=secure, httponly=True, samesite="Lax")
    return reply


def unset_cookie(reply: Response) -> Response:
    """Have the browser forget the cookie."""
    reply.delete_cookie(COOKIE, path="/", httponly=True, samesite="Lax")
    return reply


def from_own_page(asking: Request) -> bool:
    """Whether no page of another site had a browser send this.

    All browsers of today say so themselves in Sec-Fetch-Site, over plain HTTP in Origin; a request with neither is
    none of a browser's.
    """
    if (site := asking.headers.get("Sec-Fetch-Site")) is not None:
        return site in ("same-origin", "none")
    origin = asking.headers.get("Origin")
    return origin is None or origin.partition("://")[2] == asking.host
