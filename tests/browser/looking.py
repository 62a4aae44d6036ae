"""Somebody who looks at pages: what the browser complains of, and what axe does."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, expect

from tests.end_to_end.conftest import Service

PATIENCE = 240_000
"""Milliseconds: the worker has one core, which others use as well."""
expect.set_options(timeout=PATIENCE)


class Keyed(Service):
    """The service with the key of somebody who may do everything."""

    key: str


class Looking:
    """A browser's window on the service; the test fails for what its console says."""

    def __init__(self, context: BrowserContext, service: Keyed) -> None:
        self.service, self.root = service, f"http://127.0.0.1:{service.settings.port}"
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.complaints: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.page.url}: {error}"))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{self.page.url}: {message.text}")

    @classmethod
    @contextmanager
    def at(cls, browser: Browser, service: Keyed, **options: Any) -> Iterator[Self]:
        """A window without any cookie; when it closes nothing may have been complained of."""
        context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        looking = cls(context, service)
        yield looking
        context.close()
        assert not looking.complaints, "\n".join(looking.complaints)

    def go(self, address: str) -> Page:
        """Open the page at an address."""
        reply: Response | None = self.page.goto(self.root + address)
        assert reply is not None
        assert reply.ok, f"{address}: {reply.status}"
        return self.page

    def sign_in(self) -> None:
        """Sign the browser in by the key."""
        page = self.go("/sign-in")
        page.get_by_label("Key").fill(self.service.key)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(self.root + "/")

    def faults(self, **options: Any) -> list[str]:
        """What axe finds wrong with the page."""
        found = Axe().run(self.page, options={"resultTypes": ["violations"], **options}).response["violations"]
        return [
            f"{self.page.url}: {fault['id']}: {fault['help']}: {[node['html'][:200] for node in fault['nodes'][:3]]}"
            for fault in found
        ]
