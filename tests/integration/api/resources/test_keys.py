"""A valid key admits its owner, to all that its scopes allow; nobody else is admitted."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from structlog.testing import capture_logs

from octavia.jobs.access import keys
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.web import create_app
from tests.integration.api.keyed import Keyed

JOBS = "/api/v1/jobs"
KEYS = "/api/v1/keys"
TEXT = {"type": "translate", "text": "Good morning.", "source_language": "en", "target_language": "es"}


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    """One kind is enough: the queries are tested beside where they are."""
    database = Database(sqlite_url)
    yield database
    database.close()


def refused(answer: Any, code: str) -> bool:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["hint"]
    return (answer.status_code, answer.json()["code"]) == (401, code)


# What a request must carry


def test_a_request_without_a_key_is_refused(keyed: Keyed) -> None:
    client = keyed.anonymous()
    for path in (JOBS, f"{JOBS}/{uuid4()}", KEYS, "/api/v1/languages", "/no/such/route"):
        assert refused(client.get(path), "key_required"), path
    assert refused(client.post(JOBS, json=TEXT), "key_required")
    assert refused(client.put("/healthz"), "key_required")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "key_required"),
        ("Bearer", "key_required"),
        ("Bearer ", "key_required"),
        ("Basic YTpi", "key_required"),
        ("Token {token}", "key_required"),
        ("{token}", "key_required"),
        ("Bearer nonsense", "invalid_key"),
        ("Bearer {token}x", "invalid_key"),
        ("Bearer {token} {token}", "invalid_key"),
        ("Bearer oct_aaaaaaaa", "invalid_key"),
    ],
)
def test_a_header_that_holds_no_key_is_refused(keyed: Keyed, header: str, code: str) -> None:
    _, token = keyed.key()
    answer = keyed.anonymous().get(JOBS, headers={"authorization": header.format(token=token)})
    assert refused(answer, code)
    assert token not in answer.text


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
def test_a_key_lets_in(keyed: Keyed, scheme: str) -> None:
    _, token = keyed.key()
    answer = keyed.anonymous().get(JOBS, headers={"authorization": f"{scheme} {token}"})
    assert answer.status_code == 200


def test_two_api_keys_in_one_request_are_refused(keyed: Keyed) -> None:
    _, token = keyed.key()
    answer = keyed.anonymous().get(JOBS, headers=[("authorization", f"Bearer {token}")] * 2)
    assert refused(answer, "key_required")


def test_health_is_for_everybody(keyed: Keyed) -> None:
    client = keyed.anonymous("nonsense")
    assert client.get("/healthz").status_code == 200
    assert client.head("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200


def test_health_answers_without_the_database(keyed: Keyed) -> None:
    keyed.database.close()
    assert keyed.anonymous("oct_aaaaaaaa" + "x" * 43).get("/healthz").status_code == 200


def test_a_revoked_key_is_out_with_the_next_request(keyed: Keyed) -> None:
    key, token = keyed.key()
    client = keyed.anonymous(token)
    assert client.get(JOBS).status_code == 200
    keys.revoke(keyed.database, key.prefix)
    assert refused(client.get(JOBS), "key_revoked")


def test_logs_and_answers_show_only_the_prefix_of_a_key(keyed: Keyed) -> None:
    key, token = keyed.key()
    with capture_logs() as logs:
        answer = keyed.anonymous(token).get(JOBS)
        refusal = keyed.anonymous(token + "x").get(JOBS)
    (line, _) = [entry for entry in logs if entry["event"] == "http_request"]
    assert line["key"] == key.prefix
    assert token[12:] not in str(logs) + answer.text + refusal.text


# Owners and scopes


def test_a_job_belongs_to_the_owner_of_its_key(keyed: Keyed) -> None:
    # Given a job that was submitted with a key
    job = keyed.client("ann").post(JOBS, json=TEXT).json()
    # Then all keys of that owner see it, and no others do
    assert keyed.client("ann").get(f"{JOBS}/{job['id']}").status_code == 200
    assert keyed.client("bob").get(f"{JOBS}/{job['id']}").json()["code"] == "job_not_found"
    assert keyed.client("bob").get(JOBS).json()["jobs"] == []


def test_a_key_does_only_what_its_scopes_allow(keyed: Keyed) -> None:
    reader = keyed.client(scopes=[Scope.READ])
    writer = keyed.client(scopes=[Scope.WRITE])
    # Given a key to read with, then it reads and changes nothing
    assert reader.get(JOBS).status_code == 200
    for answer in (reader.post(JOBS, json=TEXT), reader.post(f"{JOBS}/{uuid4()}/cancel"), reader.get(KEYS)):
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    # And one to write with submits, and sees nothing
    job = writer.post(JOBS, json=TEXT)
    assert job.status_code == 202
    assert writer.get(job.headers["location"]).json()["code"] == "scope_missing"


# Without keys


def test_a_key_is_honoured_by_an_api_that_needs_none(client: TestClient, database: Database) -> None:
    # Given an API on this machine that asks for no keys
    key, token = keys.create(database, "ann", scopes=[Scope.READ, Scope.WRITE])
    headers = {"authorization": f"Bearer {token}"}
    # When a job is submitted with one
    job = client.post(JOBS, json=TEXT, headers=headers).json()
    # Then it is that owner's
    assert [found["id"] for found in client.get(JOBS, headers=headers).json()["jobs"]] == [job["id"]]
    assert client.get(JOBS).json()["jobs"] == []
    # And a key that is not valid is refused, also there
    keys.revoke(database, key.prefix)
    assert refused(client.get(JOBS, headers=headers), "key_revoked")


@pytest.mark.parametrize("header", ["Bearer not-needed", "Basic YTpi", ""])
def test_an_api_that_needs_no_key_ignores_foreign_credentials(client: TestClient, header: str) -> None:
    # Given a client that cannot do without a key, when it sends any, then it is let in as everybody
    assert client.get(JOBS, headers={"authorization": header}).status_code == 200


# WebSockets


def test_a_websocket_takes_a_key_in_its_header(keyed: Keyed) -> None:
    _, token = keyed.key("ann")
    job = keyed.anonymous(token).post(JOBS, json=TEXT).json()
    with keyed.anonymous(token).websocket_connect(f"{JOBS}/{job['id']}/ws") as socket:
        assert socket.receive_json()["type"] == "queued"
        assert socket.accepted_subprotocol is None


def test_a_websocket_takes_a_key_as_a_subprotocol(keyed: Keyed) -> None:
    # Given a page in a browser, which cannot set headers
    _, token = keyed.key("ann")
    job = keyed.anonymous(token).post(JOBS, json=TEXT).json()
    # When it offers the key after our subprotocol
    subprotocols = ["octavia.bearer", token]
    with keyed.anonymous().websocket_connect(f"{JOBS}/{job['id']}/ws", subprotocols=subprotocols) as socket:
        # Then it is let in, and only our subprotocol is agreed on
        assert socket.receive_json()["type"] == "queued"
        assert socket.accepted_subprotocol == "octavia.bearer"


@pytest.mark.parametrize(
    ("subprotocols", "reason"),
    [
        ([], "key_required"),
        (["octavia.bearer"], "key_required"),
        (["{token}", "octavia.bearer"], "key_required"),
        (["octavia.bearer", "{token}", "other"], "key_required"),
        (["octavia.bearer", "nonsense"], "invalid_key"),
    ],
)
def test_a_websocket_without_a_key_is_closed_with_key_required(
    keyed: Keyed, subprotocols: list[str], reason: str
) -> None:
    _, token = keyed.key()
    offered = [protocol.format(token=token) for protocol in subprotocols]
    with (
        keyed.anonymous().websocket_connect(f"{JOBS}/{uuid4()}/ws", subprotocols=offered) as socket,
        pytest.raises(WebSocketDisconnect) as closed,
    ):
        socket.receive_json()
    assert (closed.value.code, closed.value.reason) == (4401, reason)


# Keys over HTTP


def test_an_admin_makes_lists_and_revokes_the_keys_of_everybody(keyed: Keyed) -> None:
    admin = keyed.client("root", [Scope.ADMIN])
    # When an admin makes a key for somebody
    wanted = {"name": "shop", "owner": "bob", "scopes": ["jobs:read"], "expires_at": "2999-01-01T00:00:00Z"}
    answer = admin.post(KEYS, json={**wanted, "requests_per_minute": 5})
    # Then it is shown this once, and works
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made.pop("key").startswith(made["prefix"])
    assert made.pop("webhook_secret").startswith("whsec_")
    assert {**made, **wanted} == made
    shop = keyed.anonymous(answer.json()["key"])
    assert shop.get(JOBS).headers["ratelimit-limit"] == "5"
    # And it is listed, without its secrets
    listed = admin.get(KEYS)
    assert answer.json()["key"] not in listed.text
    assert answer.json()["webhook_secret"] not in listed.text
    assert [(key["name"], key["owner"]) for key in listed.json()["keys"]] == [("shop", "bob"), ("root", "root")]
    # And revoked, once and again
    revoked = admin.delete(f"{KEYS}/{made['id']}")
    assert revoked.status_code == 200
    assert revoked.json()["revoked_at"]
    assert admin.delete(f"{KEYS}/{made['prefix']}").json() == revoked.json()
    assert refused(shop.get(JOBS), "key_revoked")


def test_a_new_key_has_the_scopes_read_and_write_by_default(keyed: Keyed) -> None:
    made = keyed.client("root", [Scope.ADMIN]).post(KEYS, json={"name": "shop"}).json()
    assert (made["owner"], made["scopes"]) == ("shop", ["jobs:read", "jobs:write"])


@pytest.mark.parametrize(
    ("values", "status", "code", "field"),
    [
        ({}, 422, "missing_field", "name"),
        ({"name": ""}, 422, "invalid_field", "name"),
        ({"name": "a", "scopes": ["everything"]}, 422, "invalid_field", "scopes"),
        ({"name": "a", "scopes": []}, 422, "invalid_field", "scopes"),
        ({"name": "a", "expires_at": "2999-01-01T00:00:00"}, 422, "invalid_field", "expires_at"),
        ({"name": "a", "expires_at": "2000-01-01T00:00:00Z"}, 422, "invalid_field", "expires_at"),
        ({"name": "a", "requests_per_minute": -1}, 422, "invalid_field", "requests_per_minute"),
        ({"name": "a", "webhook_url": "http://169.254.169.254/"}, 422, "url_not_allowed", "webhook_url"),
        ({"name": "a", "colour": "red"}, 400, "unknown_field", "colour"),
        ({"name": "a" * 100_000}, 413, "body_too_large", None),
        ([], 400, "bad_json", None),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(
    keyed: Keyed, values: Any, status: int, code: str, field: str | None
) -> None:
    admin = keyed.client("root", [Scope.ADMIN])
    answer = admin.post(KEYS, json=values)
    assert (answer.status_code, answer.json()["code"], answer.json().get("field")) == (status, code, field)
    assert [key["name"] for key in admin.get(KEYS).json()["keys"]] == ["root"]


@pytest.mark.parametrize("name", ["01a20c85-6f68-7185-ae52-812067bb8f30", "oct_aaaaaaaa", "%00", "nobody"])
def test_a_key_that_is_not_there_cannot_be_revoked(keyed: Keyed, name: str) -> None:
    answer = keyed.client("root", [Scope.ADMIN]).delete(f"{KEYS}/{name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "key_not_found")


# Where it listens


def test_an_api_that_others_can_reach_asks_for_keys_by_itself(
    settings: Settings, database: Database, storage: Storage
) -> None:
    app = create_app(settings.model_copy(update={"host": "0.0.0.0"}), database=database, storage=storage)
    with TestClient(app, base_url="http://octavia.example") as client:
        assert refused(client.get(JOBS), "key_required")
        _, token = keys.create(database, "ann", scopes=[Scope.READ])
        # And with one, whatever name it is called by will do
        headers = {"authorization": f"Bearer {token}", "origin": "https://elsewhere.example"}
        assert client.get(JOBS, headers=headers).status_code == 200
