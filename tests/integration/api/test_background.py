"""An unexpected error in the API's background work: whoever watches, waits or submits is served all the same."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from httpx_sse import connect_sse
from starlette.testclient import TestClient

from octavia.api.http.slow_clients.crowd import Crowd
from octavia.api.live.hub import Hub
from octavia.brokers.alarm import AlarmWatch
from octavia.jobs.operations import overview
from octavia.jobs.protocol import cancel
from octavia.jobs.status import backlog, estimates, watching
from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from octavia.web import create_app
from tests.integration.api.server import Server
from tests.integration.jobs.steps import MEDIA, Steps
from tests.support import background
from tests.support.background import Fault
from tests.support.waiting import until

NEVER = 3600.0
INPUT = MEDIA | {"filename": "a.wav", "media_type": "audio/wav", "size": "1", "sha256": "0"}
TEXT = {"type": "translate", "text": "Good evening.", "source_language": "en", "target_language": "es"}

FAULTS: dict[str, tuple[Any, str]] = {
    "alarm_watch": (AlarmWatch, "_listen"),
    "connection_sweep": (Crowd, "sweep"),
    "forecast": (estimates, "outlook"),
    "live_reading": (watching, "news"),
    "live_wakeups": (watching, "FileChanges"),
    "operator_reading": (overview, "count_jobs"),
    "relay": (backlog, "has_due_message"),
}
"""By the name of the work, a function that it calls."""


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str, rabbitmq_url: str) -> Settings:
    return Settings(
        data_dir=tmp_path,
        models_dir=tmp_path / "models",
        database_url=sqlite_url,
        broker_url=rabbitmq_url,
        queue_prefix=f"test-{uuid4().hex[:12]}",
        max_wait_seconds=60,
        ready_queues=(),
    )


@pytest.fixture
def steps(sqlite_url: str) -> Iterator[Steps]:
    database = Database(sqlite_url)
    yield Steps(database)
    database.close()


@pytest.mark.parametrize("name", background.names("api", "brokers"))
def test_an_unexpected_error_is_noticed_by_nobody(
    name: str, settings: Settings, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an API that hears of events only when it is woken, and an error in one of its parts
    place, function = FAULTS[name]
    fault = Fault(getattr(place, function))
    monkeypatch.setattr(place, function, lambda *args, **named: fault(*args, **named))
    job = steps.submit(input=INPUT)
    with (
        Server(settings, poll_seconds=NEVER) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as http,
        connect_sse(http, "GET", f"/api/v1/jobs/{job.id}/events") as source,
        connect_sse(http, "GET", "/api/v1/operator/events") as operator,
    ):
        # When the error has happened twice, and the part was needed once more
        until(lambda: http.get(f"/api/v1/jobs/{job.id}/status").status_code == 200 and fault.over)
        # Then who watches hears of events as they happen
        events = source.iter_sse()
        assert next(events).id == "1"
        steps.emit(job.id)
        assert next(events).id == "2"
        # And who waits for a job waits until it ends
        answers: list[httpx.Response] = []
        path = f"/api/v1/jobs/{job.id}/process"
        waiting = threading.Thread(target=lambda: answers.append(http.post(path, headers={"prefer": "wait=60"})))
        waiting.start()
        until(lambda: server.hub._channels[job.id].watchers == 2)
        assert waiting.is_alive()
        cancel.cancel(steps.db, job.id, "local")
        waiting.join(60)
        assert answers[0].json()["status"] == "canceled"
        assert list(events)[-1].event == "canceled"
        # And operators see its end
        assert any(json.loads(event.data)["jobs"]["canceled"] for event in operator.iter_sse())
        # And a job that is submitted is published, and somebody estimates when it ends
        assert http.post("/api/v1/jobs", json=TEXT).status_code == 202
        until(lambda: steps.unsent() == [])
        until(lambda: http.get("/readyz").status_code == 200)


def test_the_api_is_not_ready_while_a_part_that_jobs_need_fails_again_and_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an API whose relay fails at every turn
    whole = backlog.has_due_message
    monkeypatch.setattr("octavia.background.Backoff.next", lambda _: 0.01)
    monkeypatch.setattr(backlog, "has_due_message", _broken)
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        # When that has gone on for a while
        until(lambda: client.get("/readyz").json()["checks"]["background"]["status"] == "failed")
        # Then it says so, and where to look
        answer = client.get("/readyz")
        assert answer.status_code == 503
        check = answer.json()["checks"]["background"]
        assert check["code"] == "background_failed"
        assert "relay_failed" in check["hint"]
        # And when it is over, it is ready again
        monkeypatch.setattr(backlog, "has_due_message", whole)
        until(lambda: client.get("/readyz").status_code == 200)


def _broken(*_: object, **__: object) -> bool:
    raise RuntimeError("nobody expected this")


def test_a_server_whose_background_ended_after_all_ends_too(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a server with a part that ends by an error when it is told to, which nothing can start again
    told = threading.Event()

    async def run(hub: Hub) -> None:
        while not told.is_set():
            await _soon()
        raise RuntimeError("nobody expected this")

    monkeypatch.setattr(Hub, "run", run)
    server = Server(settings.model_copy(update={"broker_url": ""}))
    with server:
        # When that happens
        told.set()
        # Then the server ends, for somebody else to start it again, and says that it was no order
        server._thread.join(60)
        assert not server._thread.is_alive()
        assert server._server.half_dead


async def _soon() -> None:
    import anyio

    await anyio.sleep(0.01)


@contextmanager
def _counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """The connections to RabbitMQ that are opened meanwhile."""
    import pika

    opened: list[object] = []
    make = pika.BlockingConnection.__init__

    def init(self: object, *args: object, **named: object) -> None:
        opened.append(self)
        make(self, *args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(pika.BlockingConnection, "__init__", init)
        yield opened


def test_a_probe_opens_no_connection_to_the_broker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given an API that is ready
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        until(lambda: client.get("/readyz").status_code == 200)
        # When it is asked again and again
        with _counted(monkeypatch) as opened:
            assert {client.get("/readyz").status_code for _ in range(20)} == {200}
        # Then it knows without another connection
        assert opened == []
