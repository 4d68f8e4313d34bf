"""Alive is one thing, ready another; and what this deployment can do."""

import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from octavia.errors import Unavailable
from octavia.jobs.status import workers
from octavia.jobs.tables.database import Database, now
from octavia.jobs.tables.rows import Worker
from octavia.jobs.tables.states import Queue
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.web import create_app
from tests.integration.api.conftest import Stored
from tests.integration.jobs.steps import Steps


class Broker:
    """Stands in for RabbitMQ, in whatever state; the real one is checked where it runs."""

    def __init__(self, *, answers: bool = True) -> None:
        self.answers = answers
        self.hold = threading.Event()
        self.hold.set()

    def check(self) -> None:
        self.hold.wait(60)
        if not self.answers:
            raise Unavailable("It is away.", reason="mq.internal", code="broker_unavailable", hint="Start it.")


def test_readyz_is_ok_when_all_checks_pass(client: TestClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "checks": {
            "background": {"status": "ok"},
            "broker": {"status": "ok", "detail": "embedded"},
            "database": {"status": "ok"},
            "queue": {"status": "ok"},
            "storage": {"status": "ok"},
            "workers": {"status": "ok"},
        },
        "workers": {"default": 0, "transcribe": 0, "translate": 0, "synthesize": 0, "maintenance": 0},
    }


def test_readyz_fails_without_a_living_worker_for_each_queue_of_jobs(
    settings: Settings, database: Database, storage: Storage
) -> None:
    # Given a worker that serves some queues, and one that was not seen for an hour
    workers.mark_seen(database, "old", "host", 1, list(Queue), None, 1)
    with database.transaction() as session:
        session.execute(sa.update(Worker).values(seen_at=now(session) - timedelta(hours=1)))
    workers.mark_seen(database, "here:2:a", "host", 2, [Queue.DEFAULT, Queue.TRANSCRIBE], None, 1)
    needed = Settings().ready_queues
    app = create_app(settings.model_copy(update={"ready_queues": needed}), database=database, storage=storage)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        # When it is asked
        answer = client.get("/readyz")
        # Then it is not ready, and says which queues nobody serves, and what to do
        assert answer.status_code == 503
        assert answer.json()["workers"] == {
            "default": 1,
            "transcribe": 1,
            "translate": 0,
            "synthesize": 0,
            "maintenance": 0,
        }
        check = answer.json()["checks"]["workers"]
        assert (check["status"], check["code"]) == ("failed", "no_workers")
        assert "octavia worker --queues translate,synthesize" in check["hint"]
        # And it takes jobs all the same
        text = {"type": "translate", "text": "Hello.", "source_language": "en", "target_language": "es"}
        assert client.post("/api/v1/jobs", json=text).status_code == 202
        # When a worker comes for them, then it is ready
        workers.mark_seen(database, "here:3:b", "host", 3, [Queue.TRANSLATE, Queue.SYNTHESIZE], None, 1)
        assert client.get("/readyz").status_code == 200
        # And it stays so while workers are replaced, but tells that there is none
        workers.remove(database, "here:3:b")
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["workers"]["translate"]) == (200, 0)


def test_a_check_that_goes_wrong_itself_is_a_failed_one(
    client: TestClient, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a check with a mistake
    monkeypatch.setattr(storage, "check", lambda: 1 / 0)
    # When it is asked, then this part is not ready, and the others are told of
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["storage"]["code"] == "internal_error"
    assert answer.json()["checks"]["database"] == {"status": "ok"}


def test_a_server_that_is_stopping_is_not_ready(client: TestClient) -> None:
    # Given a server that has begun to stop, when a client asks over a connection that is still open
    client.app.state.hub.close()  # type: ignore[attr-defined]
    # Then
    assert client.get("/readyz").json()["checks"]["background"]["code"] == "unavailable"


def test_readyz_reports_each_failed_check(settings: Settings, empty_database: Database, tmp_path: Path) -> None:
    # Given a database without tables, a broker that does not answer and a store that cannot be written
    (tmp_path / "file").write_bytes(b"")
    storage = Storage(f"file://{tmp_path / 'file'}")
    app = create_app(settings, database=empty_database, storage=storage, broker=Broker(answers=False))  # type: ignore[arg-type]
    with TestClient(app, base_url="http://127.0.0.1") as client:
        # When it is asked, then it is not ready, and says why, three times over
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
        assert answer.headers["retry-after"]
        checks = answer.json()["checks"]
        assert {name: check["code"] for name, check in checks.items() if check["status"] != "ok"} == {
            "broker": "broker_unavailable",
            "database": "database_outdated",
            "storage": "storage_unavailable",
        }
        assert checks["database"]["hint"] == "Run `octavia db upgrade`."
        # But not what drivers say of hosts, as anybody may ask
        assert "mq.internal" not in answer.text
        assert str(tmp_path) not in answer.text
        # But it lives
        assert client.get("/healthz").json() == {"status": "ok"}


def test_readyz_times_out_a_check_that_hangs(settings: Settings, database: Database, storage: Storage) -> None:
    # Given a broker that does not answer, beside a database that is well, though the machine may stall
    broker = Broker()
    broker.hold.clear()
    app = create_app(settings, database=database, storage=storage, broker=broker)  # type: ignore[arg-type]
    app.state.context.check_seconds = 3.0
    with TestClient(app, base_url="http://127.0.0.1") as client:
        started = time.monotonic()
        answer = client.get("/readyz")
        assert time.monotonic() - started < 30
        broker.hold.set()
    assert answer.status_code == 503
    assert answer.json()["checks"]["broker"]["code"] == "timeout"
    assert answer.json()["checks"]["database"] == {"status": "ok"}


def test_readyz_fails_while_the_queue_is_full(settings: Settings, steps: Steps, storage: Storage) -> None:
    # Given as many jobs as may wait
    steps.submit()
    app = create_app(settings.model_copy(update={"max_queued_jobs": 1}), database=steps.db, storage=storage)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        # When it is asked, then it says so
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.json()["checks"]["queue"]["code"] == "queue_full"


def test_a_disk_without_room_is_not_ready_and_takes_no_jobs(
    settings: Settings, database: Database, storage: Storage, stored: Stored
) -> None:
    # Given a deployment that wants more room than there is
    app = create_app(settings.model_copy(update={"min_free_bytes": 1 << 60}), database=database, storage=storage)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        # When it is asked, or a job submitted, then it says so, and keeps nothing
        answer = client.get("/readyz")
        assert answer.json()["checks"]["storage"]["code"] == "storage_full"
        refused = client.post(
            "/api/v1/jobs", data={"type": "transcribe"}, files={"file": ("a.wav", b"sound", "audio/wav")}
        )
    assert answer.status_code == refused.status_code == 503
    assert refused.json()["code"] == "storage_full"
    assert refused.headers["retry-after"]
    assert stored.empty


def test_an_unreachable_database_is_reported_as_unavailable(settings: Settings, tmp_path: Path) -> None:
    # Given a database where nobody listens
    database = Database("postgresql+psycopg://postgres@127.0.0.1:1/nothing")
    app = create_app(settings, database=database)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        # When jobs are asked for, then it is a problem that passes
        answer = client.get("/api/v1/jobs")
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert answer.headers["retry-after"]
        # And not where it was looked for
        assert "127.0.0.1" not in answer.text
    database.close()


def test_languages_voices_and_models_are_listed(client: TestClient) -> None:
    languages = {entry["code"]: entry for entry in client.get("/api/v1/languages").json()["languages"]}
    assert languages["en"]["name"] == "English"
    assert languages["en"]["recognized"]
    assert "es" in languages["en"]["translated_to"]
    voices = client.get("/api/v1/voices").json()["voices"]
    assert {"en", "es"} <= {voice["language"] for voice in voices}
    models = {entry["id"]: entry for entry in client.get("/api/v1/models").json()["models"]}
    assert any(model["installed"] and model["task"] == "translation" for model in models.values())
    assert all(voice["model"] in models for voice in voices)
    # French goes into Spanish by way of English, with models that would be fetched
    assert "es" in languages["fr"]["translated_to"]


def test_models_that_may_not_be_fetched_are_not_available(
    settings: Settings, database: Database, storage: Storage
) -> None:
    # Given a service on one machine that fetches nothing by itself
    app = create_app(settings.model_copy(update={"auto_pull": False}), database=database, storage=storage)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        # When it is asked what it can do, Then it tells of what is installed
        languages = {entry["code"]: entry for entry in client.get("/api/v1/languages").json()["languages"]}
        assert languages["en"]["translated_to"] == ["es"]
        assert languages["en"]["recognized"]
        assert "de" not in languages
        models = client.get("/api/v1/models").json()["models"]
        assert all(model["available"] == model["installed"] for model in models)
        # And a job with anything else is refused
        wanted = {"type": "translate", "text": "Hello.", "source_language": "en", "target_language": "de"}
        refused = client.post("/api/v1/jobs", json=wanted)
        assert refused.json()["code"] == "model_unavailable", refused.text
