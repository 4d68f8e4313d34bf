"""A running service with RabbitMQ, PostgreSQL and keys, and a browser, for all tests of a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from octavia.jobs.access import keys
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables.database import Database
from rabbitmq.node import Node
from tests.e2e.service import Service, service
from tests.support.postgres import PrivatePostgres

CHROMIUM: Final = "/usr/bin/chromium"
QUIET: Final = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
JOBS: Final = [Scope.READ, Scope.WRITE]
OPERATOR: Final = [*JOBS, Scope.OPERATE, Scope.OPERATE_WRITE]

# Other work may keep the machine busy.
expect.set_options(timeout=20_000)


@dataclass
class Site:
    """The service with its database, and what tests send it beside the page."""

    running: Service
    database: Database

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.running.port}"

    def key(self, owner: str, scopes: list[Scope]) -> str:
        return keys.create(self.database, f"{owner} key", owner=owner, scopes=scopes)[1]

    def client(self, owner: str, scopes: list[Scope] = JOBS) -> httpx.Client:
        headers = {"authorization": f"Bearer {self.key(owner, scopes)}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)

    def submit(self, owner: str, name: str, data: bytes, **fields: str) -> str:
        """Post a file for an owner; returns the job's id."""
        with self.client(owner) as client:
            answer = client.post("/api/v1/jobs", data=fields, files={"file": (name, data, "audio/flac")})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, postgres: PrivatePostgres, postgres_template: str, rabbitmq: Node
) -> Iterator[Site]:
    """An API that asks for keys; tests that need workers start them."""
    folder = tmp_path_factory.mktemp("operator")
    name = postgres.create(postgres_template)
    settings = {
        "OCTAVIA_DATABASE_URL": postgres.url(name),
        "OCTAVIA_BROKER_URL": rabbitmq.url,
        "OCTAVIA_QUEUE_PREFIX": folder.name,
        "OCTAVIA_STORAGE_URL": f"file://{folder / 'storage'}",
        "OCTAVIA_AUTH": "keys",
    }
    database = Database(postgres.url(name))
    with service(folder, **settings) as running:
        running.start_api()
        yield Site(running, database)
    database.close()
    postgres.drop(name)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def cookie(site: Site) -> list[Any]:
    """The session of an operator who has signed in."""
    return signed_in(site, OPERATOR)


def signed_in(site: Site, scopes: list[Scope]) -> list[Any]:
    """The cookie that a browser has after signing in with a new key."""
    answer = httpx.post(
        f"{site.url}/api/v1/session", json={"key": site.key("night", scopes)}, headers={"origin": site.url}
    )
    assert answer.status_code == 204, answer.text
    return [{"name": name, "value": value, "url": site.url} for name, value in answer.cookies.items()]


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, cookie: list[Any]) -> Iterator[Page]:
    """A tab of somebody who is signed in; an error in a script fails the test."""
    context.add_cookies(cookie)
    with tab(context) as page:
        yield page


@contextmanager
def tab(context: BrowserContext) -> Iterator[Page]:
    """A new tab whose scripts must not fail, and that must not ask anything by a box of the browser's own."""
    page, errors = context.new_page(), list[str]()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: errors.append(f"{dialog.type}: {dialog.message}"))
    yield page
    assert errors == []


def opened(page: Page, site: Site, view: str) -> Page:
    """Go to a view, and wait until it has been drawn."""
    page.goto(f"{site.url}/operator#/{view}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    return page


def dialog(page: Page) -> Locator:
    return page.locator("dialog[open]").last


def serious(page: Page) -> list[tuple[str, str, str]]:
    """What axe calls serious or critical on a page as it is now: the page, the rule, and where."""
    answer = Axe().run(page).response
    assert len(answer["passes"]) > 15, "axe did not look"
    return [
        (page.url, violation["id"], str([node["target"] for node in violation["nodes"]][:3]))
        for violation in answer["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


def scrolls_sideways(page: Page) -> bool:
    """Whether the page is wider than the screen."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))
