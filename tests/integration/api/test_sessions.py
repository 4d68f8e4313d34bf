"""Sessions of browsers: what their cookie allows, for how long, and that other sites cannot use it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import pytest
import sqlalchemy as sa
from sqlmodel import col
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from octavia.jobs.access import keys, sessions
from octavia.jobs.access.keys import Limits, Scope
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.operation_rows import BrowserSession
from octavia.jobs.tables.rows import ApiKey
from tests.integration.api.keyed import BOTH, Keyed

SESSION: Final = "/api/v1/session"
JOBS: Final = "/api/v1/jobs"
OURS: Final = {"origin": "http://octavia.example", "sec-fetch-site": "same-origin"}
TEXT: Final = {"type": "translate", "text": "Good morning.", "source_language": "en", "target_language": "es"}


def signed_in(keyed: Keyed, owner: str = "ann", scopes: Sequence[Scope] = BOTH) -> TestClient:
    """A browser that signed in with a new key."""
    browser = keyed.anonymous()
    answer = browser.post(SESSION, json={"key": keyed.key(owner, scopes)[1]}, headers=OURS)
    assert answer.status_code == 204, answer.text
    return browser


def age(database: Database, by: timedelta) -> None:
    """Make all sessions older."""
    with database.transaction() as session:
        for row in session.scalars(sa.select(BrowserSession)):
            row.created_at, row.expires_at = row.created_at - by, row.expires_at - by


def test_a_cookie_does_what_its_key_does(keyed: Keyed) -> None:
    # Given a browser that signed in
    browser = signed_in(keyed)
    # When it asks who it is, Then it has the key's owner, name and rights
    found = browser.get(SESSION).json()
    assert (found["owner"], found["name"], found["scopes"]) == ("ann", "ann", [scope.value for scope in BOTH])
    # When it makes and reads a job, Then it is the owner's
    made = browser.post(JOBS, json=TEXT, headers=OURS)
    assert made.status_code == 202
    assert keyed.client("ann").get(f"{JOBS}/{made.json()['id']}").status_code == 200
    # And what the key may not do, it may not do either
    assert browser.get("/api/v1/keys").json()["code"] == "scope_missing"


def test_the_cookie_is_kept_from_scripts_other_sites_and_the_database(keyed: Keyed, database: Database) -> None:
    # When a browser signs in over plain HTTP, and one over TLS that a proxy ends
    _, token = keyed.key()
    plain = keyed.anonymous().post(SESSION, json={"key": token}, headers=OURS)
    tls = keyed.anonymous().post(SESSION, json={"key": token}, headers={"origin": "https://octavia.example"})
    # Then scripts and other sites have no use for the cookie, and over TLS it is never sent without
    for answer, secure in ((plain, False), (tls, True)):
        name, _, rest = answer.headers["set-cookie"].partition("=")
        value, *marks = rest.split("; ")
        assert name == "octavia_session"
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(marks)
        assert ("Secure" in marks) is secure
        # And the database cannot give it away
        with database.reading() as session:
            stored = session.scalars(sa.select(BrowserSession)).all()
        assert all(value not in row.model_dump_json() for row in stored)
    # And it holds no key
    assert token not in plain.headers["set-cookie"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://octavia.example.evil.example"},
        {"origin": "http://octavia.example:81"},
        {"origin": "http://octavia.example", "sec-fetch-site": "cross-site"},
        {"origin": "http://sibling.example", "sec-fetch-site": "same-site"},
        {"origin": "http://evil.example", "host": "octavia.example", "x-forwarded-host": "evil.example"},
        {"origin": "http://[", "host": "octavia.example"},
    ],
)
def test_other_sites_cannot_use_the_cookie(keyed: Keyed, headers: dict[str, str]) -> None:
    # Given a browser that signed in
    browser = signed_in(keyed)
    # When a page of another site has it change something, sign out or open a WebSocket
    answers = [browser.post(JOBS, json=TEXT, headers=headers), browser.delete(SESSION, headers=headers)]
    job = browser.post(JOBS, json=TEXT, headers=OURS).json()["id"]
    with (
        pytest.raises(WebSocketDisconnect),
        browser.websocket_connect(f"ws://octavia.example{JOBS}/{job}/ws", headers=headers) as socket,
    ):
        socket.receive_json()
    # Then each is refused
    assert [(a.status_code, a.json()["code"]) for a in answers] == [(403, "origin_not_allowed")] * 2
    # And the session goes on
    assert browser.get(SESSION).status_code == 200


def test_a_proxy_that_renames_the_host_is_no_other_site(keyed: Keyed) -> None:
    # Given a browser that signed in, and a proxy that sends its own name on
    browser = signed_in(keyed)
    behind = {"origin": "https://dubs.example", "sec-fetch-site": "same-origin", "host": "10.0.0.7:8000"}
    # When the page changes something, Then it may
    assert browser.post(JOBS, json=TEXT, headers=behind).status_code == 202


def test_a_key_in_the_header_counts_before_the_cookie(keyed: Keyed) -> None:
    # Given a browser that signed in as Ann, whose page sends Bob's key
    browser = signed_in(keyed, "ann")
    bearer = {"authorization": f"Bearer {keyed.key('bob')[1]}"}
    # Then Bob asks, and needs no origin
    assert browser.get(SESSION, headers=bearer).json()["owner"] == "bob"
    assert browser.post(JOBS, json=TEXT, headers=bearer).status_code == 202
    # And a key that is wrong is not mended by the cookie
    assert browser.get(SESSION, headers={"authorization": "Bearer oct_no"}).json()["code"] == "invalid_key"


def test_signing_out_ends_the_session_also_for_a_copy_of_its_cookie(keyed: Keyed) -> None:
    # Given a browser, and somebody with a copy of its cookie
    browser, thief = signed_in(keyed), keyed.anonymous()
    thief.cookies.update(browser.cookies)
    assert thief.get(SESSION).status_code == 200
    # When the browser signs out, twice
    assert [browser.delete(SESSION, headers=OURS).status_code for _ in range(2)] == [204, 204]
    # Then neither is let in
    assert browser.get(SESSION).json()["code"] == "key_required"
    assert thief.get(SESSION).json()["code"] == "session_expired"


def test_a_session_ends_when_it_is_not_used(keyed: Keyed, database: Database) -> None:
    # Given a browser whose session was not used for almost as long as it may
    browser = signed_in(keyed)
    age(database, sessions.IDLE - timedelta(seconds=60))
    # When it is used, Then it goes on
    assert browser.get(SESSION).status_code == 200
    age(database, sessions.IDLE - timedelta(seconds=60))
    assert browser.get(SESSION).status_code == 200
    # When it is not used for longer, Then it has ended, and the browser forgets its cookie
    age(database, sessions.IDLE)
    answer = browser.get(SESSION)
    assert (answer.status_code, answer.json()["code"]) == (401, "session_expired")
    assert not browser.cookies
    # And the next one to sign in clears up
    signed_in(keyed, "bob")
    with database.reading() as session:
        assert len(session.scalars(sa.select(BrowserSession)).all()) == 1


def test_a_session_ends_however_much_it_is_used(keyed: Keyed, database: Database) -> None:
    # Given a session in use
    browser = signed_in(keyed)
    each = sessions.IDLE / 2
    # When it is used all day
    for _ in range(sessions.LONGEST // each - 1):
        age(database, each)
        assert browser.get(SESSION).status_code == 200
    # Then it ends in the evening
    age(database, each)
    assert browser.get(SESSION).json()["code"] == "session_expired"


def test_a_session_ends_with_its_key(keyed: Keyed, database: Database) -> None:
    # Given sessions of two keys
    first, second = signed_in(keyed, "ann"), signed_in(keyed, "bob")
    # When one key is revoked, and the other expires
    ann = next(key for key in keys.list_keys(database) if key.owner == "ann")
    keys.revoke(database, ann.prefix)
    with database.transaction() as session:
        bob = session.scalars(sa.select(ApiKey).where(col(ApiKey.owner) == "bob")).one()
        bob.expires_at = bob.created_at
    # Then neither session is of use
    assert [browser.get(SESSION).json()["code"] for browser in (first, second)] == ["session_expired"] * 2


def test_a_session_shares_its_keys_limit_of_requests(keyed: Keyed) -> None:
    # Given a key with three requests a minute
    _, token = keyed.key(limits=Limits(requests_per_minute=3))
    browser = keyed.anonymous()
    assert browser.post(SESSION, json={"key": token}, headers=OURS).status_code == 204
    # When it and its session are used, Then the fourth request is one too many
    statuses = [browser.get(SESSION).status_code, keyed.anonymous(token).get(SESSION).status_code]
    statuses += [browser.get(SESSION).status_code for _ in range(2)]
    assert statuses == [200, 200, 200, 429]


@pytest.mark.parametrize("cookie", ["", "x", "=", "a" * 43, '"' + "\\" * 8000 + '"', ";" * 8000])
def test_garbage_for_a_cookie_is_no_session(keyed: Keyed, cookie: str) -> None:
    answer = keyed.anonymous().get(SESSION, headers={"cookie": f"octavia_session={cookie}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "session_expired")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"key": "oct_no"}, 401, "invalid_key"),
        ({"key": ""}, 401, "invalid_key"),
        ({"key": 5}, 422, "invalid_field"),
        ({}, 422, "missing_field"),
        ({"key": "x", "owner": "ann"}, 400, "unknown_field"),
        ([], 400, "bad_json"),
    ],
)
def test_signing_in_without_a_good_key_says_why(keyed: Keyed, body: object, status: int, code: str) -> None:
    answer = keyed.anonymous().post(SESSION, json=body, headers=OURS)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "set-cookie" not in answer.headers


def test_without_keys_everybody_on_this_machine_is_signed_in(client: TestClient) -> None:
    found = client.get(SESSION)
    assert found.status_code == 200
    assert found.json() == {
        "owner": "local",
        "name": None,
        "prefix": None,
        "scopes": [scope.value for scope in Scope if scope is not Scope.ADMIN],
    }
