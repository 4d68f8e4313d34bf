"""What an API without keys lets its clients do, and what of that lasts when it is changed to ``OCTAVIA_AUTH=keys``.

Everybody on the machine may use such an API. That trust must not become a lasting right: a key that one made for
oneself would work on after the change.
"""

import base64
from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from octavia.api.http.operations import DescribedRoute
from octavia.jobs.access import keys, webhooks
from octavia.jobs.access.keys import Scope
from octavia.jobs.protocol import cancel
from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.web import create_app

JOBS: Final = "/api/v1/jobs"
KEYS: Final = "/api/v1/keys"
SECRET: Final = "whsec_" + base64.b64encode(b"x" * 32).decode()
TEXT: Final = {"type": "translate", "text": "Good morning.", "source_language": "en", "target_language": "es"}

# Every route has its place in one of these. A new one needs a decision: what does it leave behind that would still
# have an effect once the API asks for keys?

PUBLIC: Final = {
    *("GET /openapi.json", "GET /docs", "GET /docs/{file}", "GET /problems", "GET /problems/{code}"),
    *("GET /operator", "GET /pages/{version}/{name:path}"),
    *("GET /healthz", "GET /readyz"),
    *("POST /api/v1/session", "DELETE /api/v1/session"),
}
"""Never need a key, and leave nothing but a session of a key that the client has."""

READS: set[str] = {
    *(f"GET {JOBS}", f"GET {JOBS}/{{job_id}}", f"GET {JOBS}/{{job_id}}/status", f"GET {JOBS}/{{job_id}}/events"),
    *(f"WS {JOBS}/{{job_id}}/ws", f"GET {JOBS}/{{job_id}}/video", f"GET {JOBS}/{{job_id}}/audio.{{format}}"),
    f"GET {JOBS}/{{job_id}}/audio",
    *(f"GET {JOBS}/{{job_id}}/{kind}.{{format}}" for kind in ("transcript", "translation", "bilingual")),
    *(f"GET {JOBS}/{{job_id}}/artifacts", f"GET {JOBS}/{{job_id}}/artifacts.zip"),
    *(f"GET {JOBS}/{{job_id}}/artifacts/{{name:path}}", f"GET {JOBS}/{{job_id}}/utterances"),
    *(f"GET {JOBS}/{{job_id}}/webhooks", "GET /api/v1/webhooks", f"GET {JOBS}/{{job_id}}/log"),
    *(
        "GET /api/v1/languages",
        "GET /api/v1/voices",
        "GET /api/v1/models",
        "GET /api/v1/session",
        "GET /v1/models",
        "GET /v1/models/{model_id}",
        "GET /metrics",
    ),
}
"""Leave nothing: streams end with the process that is replaced."""

CHANGES: Final = {
    *(f"POST {JOBS}", f"DELETE {JOBS}/{{job_id}}", f"PATCH {JOBS}/{{job_id}}/utterances"),
    *(f"POST {JOBS}/{{job_id}}/{verb}" for verb in ("process", "process-async", "cancel", "retry")),
    f"PATCH {JOBS}/{{job_id}}/utterances/{{utterance_id}}",
    f"POST {JOBS}/{{job_id}}/webhooks/{{delivery_id}}/redeliver",
    "POST /api/v1/webhooks/{delivery_id}/redeliver",
    *(f"POST /v1/audio/{kind}" for kind in ("transcriptions", "translations", "speech")),
}
"""Leave jobs of the owner ``local`` with what belongs to them: results, edits, webhooks, idempotency keys. They give
nobody access: afterwards only a key of that owner sees them, and retention removes them."""

OPERATOR: Final = "/api/v1/operator"
READS |= {
    *(f"GET {OPERATOR}/{name}" for name in ("queues", "pauses", "scheduler", "outbox", "dead-letters")),
    *(f"GET {OPERATOR}/{name}" for name in ("overview", "jobs", "statistics", "failures", "workers", "actions")),
    *(f"GET {OPERATOR}/events", f"GET {OPERATOR}/filter-words", f"GET {OPERATOR}/jobs/{{job_id}}"),
    f"GET {OPERATOR}/dead-letters/{{letter_id}}",
}

ORDERS: Final = {
    f"POST {OPERATOR}/actions",
    *(f"POST {OPERATOR}/pauses", f"DELETE {OPERATOR}/pauses/{{pause_id}}"),
    *(f"POST {OPERATOR}/dead-letters/{verb}" for verb in ("requeue", "purge")),
}
"""Leave what CHANGES leave, or orders to workers, which hold until an operator ends them, and messages where they were
put. They give nobody access, are written down, and ``/readyz`` and ``octavia doctor`` tell of them."""

REFUSED: Final = {f"GET {KEYS}", f"POST {KEYS}", f"DELETE {KEYS}/{{key_id}}"}
"""Would leave, change or show rights that hold after the change."""


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    """One kind is enough: the queries are tested beside where they are."""
    database = Database(sqlite_url)
    yield database
    database.close()


@pytest.fixture
def changed(settings: Settings, database: Database, storage: Storage) -> Iterator[TestClient]:
    """The same deployment after the operator changed it to keys."""
    app = create_app(settings.model_copy(update={"auth": "keys"}), database=database, storage=storage)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def names(routes: Sequence[BaseRoute], prefix: str = "") -> Iterator[str]:
    for route in routes:
        path = prefix + getattr(route, "path", "")
        if isinstance(route, DescribedRoute):
            yield from (f"{method} {path}" for method in route.operations)
        elif isinstance(route, WebSocketRoute):
            yield f"WS {path}"
        elif inner := getattr(route, "routes", None):
            yield from names(inner, path)
        else:
            yield f"? {path}"


def test_each_route_is_decided_on(client: TestClient) -> None:
    found = list(names(client.app.routes))  # type: ignore[attr-defined]
    assert sorted(found) == sorted([*PUBLIC, *READS, *CHANGES, *ORDERS, *REFUSED])


@pytest.mark.parametrize("route", sorted(PUBLIC | READS | CHANGES | ORDERS | REFUSED))
def test_a_request_without_a_key_may_do_what_was_decided(client: TestClient, route: str) -> None:
    # Given a request for something that is not there
    method, _, path = route.partition(" ")
    for name, value in {"format": "srt", "name:path": "x", "file": "x", "code": "x"}.items():
        path = path.replace(f"{{{name}}}", value)
    for name in ("job_id", "delivery_id", "key_id", "utterance_id", "model_id", "pause_id", "letter_id"):
        path = path.replace(f"{{{name}}}", str(uuid4()))
    # When it is sent without a key
    if method == "WS":
        with client.websocket_connect(f"ws://127.0.0.1{path}") as socket, pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
        assert closed.value.reason == "job_not_found"
        return
    # It would go on for ever
    client.app.state.overviews.close()  # type: ignore[attr-defined]
    answer = client.request(method, path, headers={"origin": "http://127.0.0.1"})
    # Then it is refused for want of a key if that was decided, and else as much as it would be with one
    refused = (answer.status_code, answer.json()["code"]) if answer.status_code in (401, 403) else None
    assert refused == ((403, "admin_key_required") if route in REFUSED else None)


@pytest.mark.parametrize("sent", [{}, bearer("not-needed"), {"authorization": "Basic YTpi"}])
def test_nobody_makes_a_key_for_the_time_after_the_change(
    client: TestClient, changed: TestClient, database: Database, sent: dict[str, str]
) -> None:
    # Given an API without keys, and a client that wants to keep its access
    answer = client.post(KEYS, json={"name": "mine", "scopes": ["admin", "jobs:read"]}, headers=sent)
    # When the operator changes to keys, Then the client has none
    taken = answer.json().get("key", "")
    assert changed.get(KEYS, headers=bearer(taken)).status_code == 401
    assert keys.list_keys(database) == ()
    # And it has been told who may, and how
    assert (answer.status_code, answer.json()["code"]) == (403, "admin_key_required")
    assert "octavia keys create" in answer.json()["hint"]
    assert "--scope admin" in answer.json()["hint"]


def test_nobody_sees_or_revokes_the_keys_of_others(client: TestClient, database: Database) -> None:
    # Given a key, for example of a deployment that had been changed to keys and is changed back
    key, _ = keys.create(database, "root", scopes=[Scope.ADMIN])
    # When a client without a key asks for it, or wants to lock its owner out
    listed, revoked = client.get(KEYS), client.delete(f"{KEYS}/{key.prefix}")
    # Then it does neither
    assert [answer.json()["code"] for answer in (listed, revoked)] == ["admin_key_required"] * 2
    assert key.prefix not in listed.text
    (left,) = keys.list_keys(database)
    assert left.revoked_at is None


def test_the_description_says_which_requests_always_need_a_key(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    described = {
        f"{method.upper()} {path}": found for path, methods in paths.items() for method, found in methods.items()
    }
    for name, found in described.items():
        said = "`admin_key_required`" in found["responses"].get("403", {}).get("description", "")
        assert said is (name in REFUSED or "all_owners" in str(found["parameters"])), name
        assert ("also where no other requests need one" in found["description"]) is (name in REFUSED)


def test_the_key_of_an_admin_counts_before_the_change_and_after_it(
    client: TestClient, changed: TestClient, database: Database
) -> None:
    # Given the first key, made on the machine
    _, root = keys.create(database, "root", scopes=[Scope.ADMIN])
    # When it makes another before the change, Then that one works after it
    made = client.post(KEYS, json={"name": "shop"}, headers=bearer(root))
    assert made.status_code == 201
    assert changed.get(JOBS, headers=bearer(made.json()["key"])).status_code == 200
    # And a key that lacks the scope is told that, not that it lacks a key
    answer = client.post(KEYS, json={"name": "more"}, headers=bearer(made.json()["key"]))
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


@pytest.mark.parametrize("path", ["/api/v1/webhooks", f"/api/v1/webhooks/{UUID(int=0)}/redeliver"])
def test_the_webhooks_of_all_owners_take_the_key_of_an_admin(client: TestClient, database: Database, path: str) -> None:
    method = "POST" if path.endswith("redeliver") else "GET"
    answer = client.request(method, path, params={"all_owners": "true"})
    assert (answer.status_code, answer.json()["code"]) == (403, "admin_key_required")
    _, root = keys.create(database, "root", scopes=list(Scope))
    answer = client.request(method, path, params={"all_owners": "true"}, headers=bearer(root))
    assert answer.status_code == (404 if method == "POST" else 200)


def test_a_job_outlives_the_change_and_lets_nobody_in(
    client: TestClient, changed: TestClient, database: Database
) -> None:
    # Given a job without a key, with all that it may bring along
    hook = {"webhook_url": "https://example.com/hook", "webhook_secret": SECRET}
    sent: dict[str, Any] = {"json": TEXT | hook, "headers": {"idempotency-key": "1"}}
    job_id = client.post(JOBS, **sent).json()["id"]
    # When the API asks for keys, Then nobody sees the job without one, or with that of another owner
    _, other = keys.create(database, "ann", scopes=[Scope.READ, Scope.WRITE, Scope.ADMIN])
    for path in ("", "/status", "/log", "/webhooks", "/artifacts", "/utterances"):
        assert changed.get(f"{JOBS}/{job_id}{path}").status_code == 401
        assert changed.get(f"{JOBS}/{job_id}{path}", headers=bearer(other)).json()["code"] == "job_not_found"
    # And the idempotency key answers only its owner
    assert changed.post(JOBS, **sent).status_code == 401
    sent["headers"] |= bearer(other)
    assert changed.post(JOBS, **sent).json()["id"] != job_id
    # And whoever was given a key of the owner local has the job
    _, local = keys.create(database, "me", owner="local", scopes=[Scope.READ, Scope.WRITE])
    assert [job["id"] for job in changed.get(JOBS, headers=bearer(local)).json()["jobs"]] == [job_id]
    # And its end is announced still, to the address and with the secret that it named
    cancel.cancel(database, UUID(job_id), "local")
    (leased,) = webhooks.lease(database, limit=1, seconds=30)
    assert (str(leased.job_id), leased.url, leased.secret) == (job_id, hook["webhook_url"], SECRET)
