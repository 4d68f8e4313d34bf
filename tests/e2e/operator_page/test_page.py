"""The page itself: signing in, sessions that end, rights, a lost connection, the keyboard, small screens, axe."""

import re
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, BrowserContext, Page, expect

from octavia.jobs.access.keys import Scope
from octavia.jobs.tables.operation_rows import BrowserSession
from tests.e2e.operator_page.conftest import (
    JOBS,
    OPERATOR,
    Site,
    dialog,
    opened,
    scrolls_sideways,
    serious,
    signed_in,
    tab,
)
from tests.e2e.service import Service

pytestmark = pytest.mark.timeout(600)  # minutes, where the machine is slow and has more to do than this

VIEWS = ("overview", "jobs", "workers", "failures", "dead-letters", "maintenance", "actions")


@pytest.fixture(scope="module")
def long_named(site: Site) -> str:
    """A job to show; its owner's name is long, and its file's name has no place to break it."""
    return site.submit(
        "dora", f"{'n' * 150}.wav", b"no sound", type="transcribe", metadata='{"<i>reel</i>": "<b>4</b>"}'
    )


def test_one_signs_in_with_a_key(site: Site, context: BrowserContext) -> None:
    with tab(context) as page:
        # Given a link to a view, opened by somebody who is not signed in
        page.goto(f"{site.url}/operator#/jobs?filter=status:failed")
        # When they give a key that is none, Then the page says so
        sign_in = dialog(page)
        sign_in.get_by_label("API key").fill("oct_nothing")
        sign_in.get_by_role("button", name="Sign in").click()
        expect(sign_in.get_by_role("alert")).to_contain_text("This key is not known")
        # When they give theirs, Then the page goes on where the link leads
        sign_in.get_by_label("API key").fill(site.key("night", OPERATOR))
        sign_in.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("combobox", name="Filter")).to_have_value("status:failed")
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        # And no script can read what keeps them signed in
        assert page.evaluate("document.cookie") == ""
        assert page.evaluate("Object.keys(localStorage).length") == 0
        # When they sign out, Then the page asks again
        page.get_by_role("button", name="Sign out").click()
        expect(dialog(page).get_by_label("API key")).to_be_visible()


def test_a_session_that_ends_mid_way_keeps_what_was_typed(site: Site, context: BrowserContext) -> None:
    context.add_cookies(signed_in(site, OPERATOR))
    with tab(context) as page:
        # Given somebody who has typed a reason to pause a queue
        opened(page, site, "overview")
        page.get_by_role("button", name="Pause maintenance").click()
        dialog(page).get_by_label("Reason").fill("disk is being replaced")
        # When their session ends before they send it
        with site.database.transaction() as session:
            session.execute(sa.delete(BrowserSession))
        dialog(page).get_by_role("button", name="Pause", exact=True).click()
        # Then the page says so and asks for the key; Escape does not get round it
        expect(dialog(page)).to_contain_text("Your session has ended")
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        dialog(page).get_by_label("API key").fill(site.key("night", OPERATOR))
        dialog(page).get_by_role("button", name="Sign in").click()
        # And then does what was ordered, with what was typed
        row = page.get_by_role("table", name="Queues").locator("tbody tr").filter(has_text="maintenance")
        expect(row).to_contain_text("disk is being replaced")
        page.get_by_role("button", name="Resume maintenance").click()
        expect(row).not_to_contain_text("paused")


def test_a_key_that_may_only_read_finds_no_button_to_press(site: Site, context: BrowserContext) -> None:
    context.add_cookies(signed_in(site, [Scope.OPERATE]))
    with tab(context) as page:
        opened(page, site, "overview")
        expect(page.get_by_text("read only")).to_be_visible()
        pause = page.get_by_role("button", name="Pause synthesize")
        expect(pause).to_be_disabled()
        expect(pause).to_have_attribute("title", re.compile("operate:write"))
        opened(page, site, "jobs")
        for action in ("Retry", "Cancel", "Delete", "Priority"):
            expect(page.get_by_role("button", name=action)).to_be_disabled()
        expect(page.get_by_text("Your key lacks the scope operate:write.")).to_be_visible()


def test_a_key_that_may_not_operate_is_told_so(site: Site, context: BrowserContext) -> None:
    context.add_cookies(signed_in(site, JOBS))
    with tab(context) as page:
        page.goto(f"{site.url}/operator")
        expect(page.get_by_text("This key lacks the scope operate")).to_be_visible()
        # And may come with another one
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_a_lost_connection_is_shown_until_it_is_back(site: Site, context: BrowserContext, page: Page) -> None:
    opened(page, site, "overview")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    context.set_offline(True)
    expect(page.get_by_text("The connection to the service is lost.")).to_be_visible()
    context.set_offline(False)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_text("The connection to the service is lost.")).to_have_count(0)


def test_a_wrong_filter_is_explained_beside_it(site: Site, page: Page) -> None:
    opened(page, site, "jobs?filter=colour:red")
    field = page.get_by_role("combobox", name="Filter")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("alert")).to_contain_text("There is no filter word")
    expect(field).to_have_value("colour:red")
    expect(page.get_by_role("button", name="Delete")).to_be_disabled()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    site: Site, browser: Browser, cookie: list[Any], long_named: str, scheme: str
) -> None:
    context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
    context.add_cookies(cookie)
    found: list[Any] = []
    with tab(context) as page:
        for view in (*VIEWS, f"jobs/{long_named}"):
            opened(page, site, view)
            expect(page.get_by_text("Loading …")).to_have_count(0)
            found += serious(page)
        # And in a dialog
        opened(page, site, "overview")
        page.get_by_role("button", name="Drain translate").click()
        expect(dialog(page)).to_be_visible()
        found += serious(page)
    context.close()
    assert found == []


def test_a_small_screen_needs_no_scrolling_sideways(
    site: Site, browser: Browser, cookie: list[Any], long_named: str
) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    context.add_cookies(cookie)
    wide = []
    with tab(context) as page:
        for view in (*VIEWS, f"jobs/{long_named}"):
            opened(page, site, view)
            expect(page.get_by_text("Loading …")).to_have_count(0)
            if scrolls_sideways(page):
                wide.append(view)
    context.close()
    assert wide == []


def test_everything_is_reached_by_keyboard(site: Site, page: Page) -> None:
    # Given the page as it opens
    opened(page, site, "overview")
    expect(page.get_by_role("button", name="Pause default")).to_be_visible()
    # When the first stop is taken, Then it leads past the head
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    # When one goes on, Then each stop can be seen, and the orders are among them
    stops = []
    while "Pause default" not in stops:
        page.keyboard.press("Tab")
        label, outline = page.evaluate(
            "at => [at.ariaLabel ?? at.textContent, getComputedStyle(at).outlineStyle]",
            page.evaluate_handle("document.activeElement"),
        )
        assert outline == "solid", label
        stops.append(label)
        assert len(stops) < 40, stops
    # When a dialog is opened, Then the focus stays in it, and returns when Escape closes it
    page.keyboard.press("Enter")
    expect(dialog(page).get_by_label("Reason")).to_be_focused()
    for _ in range(5):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))"
        )
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Pause default")).to_be_focused()


def test_the_theme_is_kept(site: Site, browser: Browser, cookie: list[Any]) -> None:
    # Given a browser that prefers light pages
    context = browser.new_context(color_scheme="light")
    context.add_cookies(cookie)
    with tab(context) as page:
        opened(page, site, "overview")
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        # When the dark theme is chosen, Then it holds for the next visit too
        page.get_by_role("button", name="Dark theme").click()
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert dark != ground
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    context.close()


def test_no_key_is_asked_for_where_none_is_needed_and_any_path_may_be_in_front(
    site: Site, context: BrowserContext
) -> None:
    # Given an API without keys, under a path
    settings = {**site.running.environment, "OCTAVIA_AUTH": "off", "OCTAVIA_ROOT_PATH": "/speech/octavia"}
    keyless = Service(settings, site.running.log_dir)
    try:
        keyless.start_api()
        with tab(context) as page:
            # When a browser opens the page, Then it shows what there is without asking, and lets one change it
            page.goto(f"http://127.0.0.1:{keyless.port}/speech/octavia/operator")
            expect(page.get_by_text("Live", exact=True)).to_be_visible()
            page.get_by_role("button", name="Pause translate").click()
            dialog(page).get_by_role("button", name="Pause", exact=True).click()
            page.get_by_role("button", name="Resume translate").click()
            expect(page.get_by_role("button", name="Pause translate")).to_be_visible()
    finally:
        keyless.stop()
