"""Two owners and every route: neither sees, lists, cancels, downloads, streams or deletes what is the other's.

The routes are taken from the application itself. One that this test cannot call makes it fail: then say here how.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from octavia.api.http.operations import DescribedRoute
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.rows import WebhookDelivery
from octavia.storage import Storage
from tests.integration.api.conftest import Stored
from tests.integration.api.driving import complete, fail
from tests.integration.api.keyed import Keyed
from tests.integration.jobs.steps import Steps

JOBS = "/api/v1/jobs"
SESSION = "/api/v1/session"
"""Signing in and out, for everybody, from the service\'s own pages."""
MARK = "only-anns"
WEBSOCKET = "WEBSOCKET"

FORMATS = {"transcript": "txt", "translation": "vtt", "bilingual": "srt", "audio": "wav"}
"""One that the job has, by what stands before it in the path."""


@dataclass(frozen=True)
class Call:
    """One method of one route; ``path`` with its parameters' names in braces, ``public``: there for everybody."""

    method: str
    path: str
    public: bool = False

    @property
    def parameters(self) -> set[str]:
        return {part.split("}")[0] for part in self.path.split("{")[1:]}

    def url(self, job_id: str, others: dict[str, str]) -> str:
        known = {**others, "job_id": job_id}
        if "format" in self.parameters:
            known["format"] = FORMATS[self.path.rpartition("/")[2].partition(".")[0]]
        missing = self.parameters - known.keys()
        assert not missing, f"{self.method} {self.path}: say in this test what to put in for {missing}"
        return self.path.format(**known)


def calls(routes: Sequence[BaseRoute], prefix: str = "") -> Iterator[Call]:
    """Everything that an application answers."""
    for route in routes:
        if isinstance(route, DescribedRoute):
            for method, operation in route.operations.items():
                yield Call(method, prefix + route.path_format, operation.scope is None)
        elif isinstance(route, WebSocketRoute):
            yield Call(WEBSOCKET, prefix + route.path_format)
        elif isinstance(route, Mount) and route.routes:
            yield from calls(route.routes, prefix + route.path)
        else:
            pytest.fail(f"{prefix}{getattr(route, 'path', route)}: say in this test how to walk such a route")


@dataclass(frozen=True)
class Anns:
    """Ann's jobs by their status, and a client with her key."""

    client: TestClient
    jobs: dict[str, str]
    others: dict[str, str]


@pytest.fixture
def anns(keyed: Keyed, database: Database, storage: Storage) -> Anns:
    steps = Steps(database)
    client = keyed.client("ann")

    def submit() -> str:
        fields = {"type": "dub", "source_language": "en", "target_language": "es", "metadata": f'{{"mark": "{MARK}"}}'}
        answer = client.post(
            JOBS,
            data={**fields, "webhook_url": f"https://hooks.example/{MARK}"},
            files={"file": (f"{MARK}.wav", b"RIFF not really")},
        )
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    jobs = {"completed": submit()}
    complete(steps, storage, UUID(jobs["completed"]))
    jobs["failed"] = submit()
    fail(steps)
    jobs["queued"] = submit()
    for status, job_id in jobs.items():
        assert client.get(f"{JOBS}/{job_id}").json()["status"] == status
    with database.reading() as session:
        delivery = session.scalars(
            sa.select(WebhookDelivery).where(sa.column("job_id") == UUID(jobs["completed"]))
        ).one()
    key, _ = keyed.key("ann")
    others = {
        "name": "transcript.txt",
        "version": "x",
        "delivery_id": str(delivery.id),
        "utterance_id": "0-0",
        "key_id": str(key.id),
        "pause_id": str(uuid4()),
        "letter_id": "3f1c8b0a9d2e",
        "model_id": "whisper-1",
        "code": "job_not_found",
        "file": "swagger-ui.css",
    }
    return Anns(client, jobs, others)


def walk(client: TestClient) -> list[Call]:
    app = client.app
    assert isinstance(app, Starlette)
    found = list(calls(app.routes))
    assert len(found) > 30
    return found


def ask(client: TestClient, call: Call, url: str) -> tuple[int, str]:
    """The status and all of the answer, of a WebSocket as HTTP would have it."""
    if call.method != WEBSOCKET:
        body: dict[str, Any] = {"json": {}} if call.method in ("POST", "PATCH", "PUT") else {}
        answer = client.request(call.method, url, **body)
        return answer.status_code, answer.text
    with client.websocket_connect(url) as socket:
        try:
            return 200, socket.receive_text()
        except WebSocketDisconnect as closed:
            return closed.code - 4000, closed.reason


def everything(database: Database, stored: Stored) -> dict[str, Any]:
    """All rows, but for how often keys were used, and all files."""
    with database.reading() as session:
        rows = {
            table.name: sorted(str(tuple(row)) for row in session.execute(sa.select(table)))
            for table in SQLModel.metadata.sorted_tables
            if table.name not in ("api_keys", "rate_limits")
        }
    return {**rows, "files": stored.files}


def test_no_route_gives_anything_of_anothers_job(keyed: Keyed, anns: Anns, database: Database, stored: Stored) -> None:
    # Given the jobs of one owner, and the key of another, who may do all but operate and manage keys
    bob = keyed.client("bob")
    before = everything(database, stored)
    walked = 0
    for call in walk(bob):
        for job_id in anns.jobs.values() if "job_id" in call.parameters else ("",):
            # When the other asks any route for them
            status, text = ask(bob, call, call.url(job_id, anns.others))
            # Then the answer is that there are no such jobs, as it is for those that really are not there
            if job_id:
                missing = ask(bob, call, call.url(str(uuid4()), anns.others))
                # Operators may know of them, and nobody else may ask as one
                wanted, code = (403, "scope_missing") if "/operator/" in call.path else (404, "job_not_found")
                assert status == missing[0] == wanted, f"{call}: {status} {text}"
                assert code in text and code in missing[1], f"{call}: {text}"  # noqa: PT018
                walked += 1
            # And nowhere is anything of them said
            assert MARK not in text, f"{call}: {text}"
            assert not any(other in text for other in anns.jobs.values() if other != job_id), f"{call}: {text}"
    assert walked > 30
    # And nothing has changed
    assert everything(database, stored) == before


def test_the_owner_can_read_everything_of_a_job(anns: Anns) -> None:
    # Given that the walk above would also succeed if it asked for what nobody has
    for call in walk(anns.client):
        operators = "/operator/" in call.path
        if call.method in ("GET", WEBSOCKET) and "job_id" in call.parameters and not operators:
            # When the owner asks for the same, then it is there
            status, text = ask(anns.client, call, call.url(anns.jobs["completed"], anns.others))
            assert status in (200, 206), f"{call}: {status} {text}"


def test_a_stranger_gets_nothing_but_health_and_documentation(keyed: Keyed, anns: Anns) -> None:
    # Given somebody without a key
    stranger = keyed.anonymous()
    for call in walk(stranger):
        # When they ask any route, then they are refused, but where a route says that it is there for everybody
        status, text = ask(stranger, call, call.url(anns.jobs["completed"], anns.others))
        assert (status == 401) is not call.public, f"{call}: {status} {text}"
        assert MARK not in text
        # Which those about jobs do not
        assert not (call.public and call.path.startswith(("/api", "/v1"))) or call.path == SESSION, call


def test_a_key_to_read_changes_nothing(keyed: Keyed, anns: Anns, database: Database, stored: Stored) -> None:
    # Given a key of the same owner, with which one may read
    reader = keyed.client("ann", [Scope.READ])
    before = everything(database, stored)
    for call in walk(reader):
        if call.method in ("POST", "PATCH", "PUT", "DELETE") and call.path != SESSION:
            # When it would change anything, then it may not
            status, text = ask(reader, call, call.url(anns.jobs["completed"], anns.others))
            assert status == 403, f"{call}: {status} {text}"
            assert "scope_missing" in text
    assert everything(database, stored) == before
