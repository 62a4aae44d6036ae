"""Every link from the home page on, and what holds of every page."""

from collections import deque

import pytest
from flask.testing import FlaskClient

from tests.service.conftest import MakeClient
from tests.service.explorer.filled import HOSTILE, LAYER, Filled
from tests.service.explorer.reading import Page

MOST = 400


def walk(client: FlaskClient, *starts: str) -> dict[str, Page]:
    """Every page that links lead to; exports are left to their own tests."""
    seen: set[str] = set()
    pages: dict[str, Page] = {}
    todo = deque(starts)
    while todo and len(seen) < MOST:
        address = todo.popleft()
        if address in seen or "/export?" in address:
            continue
        seen.add(address)
        reply = client.get(address)
        assert reply.status_code < 400, f"{address}: {reply.status_code} {reply.text[:500]}"
        if reply.mimetype == "text/html" and address != "/docs":
            pages[address] = Page(reply.text)
            todo.extend(pages[address].links)
        reply.close()
    assert not todo, "more pages than such a small database has"
    return pages


def test_every_link_leads_somewhere(client: FlaskClient, filled: Filled) -> None:
    pages = walk(client, "/", "/?q=conv", "/?q=conv+0", "/compare")
    for address, page in pages.items():
        check_structure(address, page)
    addresses = " ".join(pages)
    for part in ("/models/alpha", "/units/0", "/concept?", "/class?", "/compare?a=", "/images/", "/jobs/new"):
        assert part in addresses
    for job in filled:
        assert f"/jobs/{job}" in pages


def check_structure(address: str, page: Page) -> None:
    """What a reader of the screen, and we, rely on in any page."""
    assert len(page.all("h1")) == 1, address
    assert page.all("html", lang="en")
    for tag in ("header", "main", "footer", "nav", "title"):
        assert page.all(tag), f"{address} has no {tag}"
    assert not page.all("style")
    assert not [attrs for _, attrs in page.elements if "style" in attrs or any(name.startswith("on") for name in attrs)]
    assert all("src" in script and "nonce" in script for script in page.all("script")), address
    assert all(image.get("alt") for image in page.all("img")), address
    assert len(page.all("caption")) == len(page.all("table")) - uncaptioned(page), address
    assert all(link.startswith("/") and not link.startswith("//") for link in page.links), address
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len({*ids}), f"{address}: an id is there twice"
    assert all(label["for"] in ids for label in page.all("label") if "for" in label), address
    assert not [tag for tag, _ in page.elements if tag == "b" and "<b>" in page.text.replace(HOSTILE, "")]


def uncaptioned(page: Page) -> int:
    """The table of parameters has its summary for a caption."""
    return sum("Parameters" in text for text in page.texts)


def test_empty_service(client: FlaskClient) -> None:
    pages = walk(client, "/")
    assert "Nothing is registered yet" in pages["/"].text


@pytest.mark.parametrize(
    "address",
    [
        "/models/alpha",
        f"/models/alpha/layers/{LAYER.replace('<', '%3C')}",
        f"/models/alpha/layers/{LAYER.replace('<', '%3C')}/units/0",
        "/jobs/{dissection}",
        "/compare?a={older}&b={dissection}",
        "/models/alpha/jobs/new",
    ],
)
def test_other_teams_see_nothing(client_of: MakeClient, filled: Filled, address: str) -> None:
    reply = client_of("blue", "read", "run").get(address.format(**filled._asdict()))
    assert reply.status_code == 404
    assert reply.mimetype == "text/html"
    assert HOSTILE not in Page(reply.text).text


def test_lists_of_other_teams_are_empty(client_of: MakeClient, filled: Filled) -> None:
    client = client_of("blue", "read")
    for address in (
        "/",
        "/?q=conv",
        "/?q=conv+0",
        "/models",
        "/units",
        "/concepts",
        "/classes",
        "/attacks",
        "/jobs",
        "/compare",
    ):
        reply = client.get(address)
        assert reply.status_code == 200
        assert "alpha" not in reply.text
        assert str(filled.dissection) not in reply.text


def test_pages_need_the_scope_of_what_they_show(client_of: MakeClient, filled: Filled) -> None:
    assert client_of("blue", "write").get("/jobs").status_code == 403
    assert client_of("local", "read").post(f"/jobs/{filled.failed}/retry").status_code == 403
    page = Page(client_of("local", "read").get(f"/jobs/{filled.failed}").text)
    assert not page.all("form", action=f"/jobs/{filled.failed}/retry")


def test_only_what_is_ours_may_be_loaded(client: FlaskClient, filled: Filled) -> None:
    for address, status in (("/", 200), ("/models/nobody", 404), ("/units?min_iou=2", 422)):
        reply = client.get(address)
        policy = reply.headers["Content-Security-Policy"]
        assert reply.status_code == status
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "style-src 'self'" in policy
    nonces = {client.get("/").headers["Content-Security-Policy"] for _ in range(2)}
    assert len(nonces) == 2


def test_pages_are_no_part_of_the_document(client: FlaskClient) -> None:
    assert all(
        path.startswith(("/v1/", "/openapi", "/docs", "/healthz", "/readyz", "/metrics"))
        for path in client.get("/openapi.json").json["paths"]
    )


def test_static_files(client: FlaskClient) -> None:
    for name, kind in (("explorer.css", "text/css"), ("job.js", "text/javascript"), ("icon.svg", "image/svg+xml")):
        reply = client.get(f"/static/{name}")
        assert reply.mimetype == kind
        assert client.get(f"/static/{name}", headers={"If-None-Match": reply.headers["ETag"]}).status_code == 304
    assert client.get("/static/..%2Fpages.py").status_code == 404
    assert client.get("/static/nothing").status_code == 404
