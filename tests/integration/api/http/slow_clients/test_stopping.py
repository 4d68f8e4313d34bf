"""An API that is told to stop: what is under way is finished, or told why not; nobody is just cut off."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from httpx_sse import connect_sse
from sqlmodel import col

from octavia.jobs.tables.database import Database
from octavia.jobs.tables.rows import Job
from octavia.settings import Settings
from octavia.storage import Storage
from tests.integration.api.conftest import Stored
from tests.integration.api.server import RawClient, server_process
from tests.integration.jobs.steps import Steps
from tests.support.ports import free_port
from tests.support.waiting import until

FORM = "multipart/form-data; boundary=xyz"
HEAD = (
    b'--xyz\r\nContent-Disposition: form-data; name="type"\r\n\r\ndub\r\n'
    b'--xyz\r\nContent-Disposition: form-data; name="target_language"\r\n\r\nes\r\n'
    b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
)
BLOCK = b"x" * 300_000
END = b"\r\n--xyz--\r\n"
GRACE = 8
"""Enough for what is to be done within it, on a machine that stalls too."""


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str) -> Settings:
    return Settings(
        data_dir=tmp_path,
        models_dir=tmp_path / "models",
        database_url=sqlite_url,
        port=free_port(),
        stop_grace_seconds=GRACE,
    )


@pytest.fixture
def steps(settings: Settings) -> Iterator[Steps]:
    database = Database(settings.database)
    yield Steps(database)
    database.close()


def refuses(port: int) -> bool:
    """Return whether the server has stopped listening."""
    try:
        httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5)
    except httpx.ConnectError:
        return True
    except httpx.TransportError:
        return False  # it was just let in, to a server that has stopped serving
    return False


def test_a_connection_that_was_just_made_gets_its_answer(settings: Settings) -> None:
    # Given a server with a connection whose request is on its way
    with server_process(settings) as server:
        idle, new = RawClient(settings.port), RawClient(settings.port)
        # When the server is told to stop before it arrives
        server.terminate()
        until(lambda: refuses(settings.port))
        new.send(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        # Then it is answered, and the server ends soon, though another connection sends nothing
        assert new.response().startswith("HTTP/1.1 200")
        server.wait(10)
        for client in (idle, new):
            client.reset()


def test_requests_in_progress_are_finished_or_refused(settings: Settings, stored: Stored, steps: Steps) -> None:
    # Given an API with two uploads half way, and somebody who watches a job
    watched = steps.submit()
    told: list[int | None] = []

    def watch() -> None:
        url = f"http://127.0.0.1:{settings.port}/api/v1/jobs/{watched.id}/events"
        with httpx.Client(timeout=30) as client, connect_sse(client, "GET", url) as source:
            told.extend(event.retry for event in source.iter_sse())

    watching = threading.Thread(target=watch, daemon=True)
    with server_process(settings) as process, RawClient(settings.port) as quick, RawClient(settings.port) as slow:
        watching.start()
        for client in (quick, slow):
            client.post(Content_Type=FORM, Transfer_Encoding="chunked")
            client.send_chunk(HEAD)
            client.send_chunk(BLOCK)
        until(lambda: len(stored.files) == 2 and bool(told))
        # When it is told to stop
        began = time.monotonic()
        process.terminate()
        # Then it takes nothing new, and who watches is let go at once, knowing when to come again
        until(lambda: refuses(settings.port))
        watching.join(30)
        assert not watching.is_alive()
        assert told[0] == 2000
        # And the upload that gets done within the grace is accepted
        quick.send_chunk(BLOCK + END)
        quick.send(b"0\r\n\r\n")
        accepted = quick.answer()
        assert accepted.startswith("HTTP/1.1 202 "), accepted
        # And the other one is told to come again, when the grace is over
        refused = slow.answer()
        assert refused.startswith("HTTP/1.1 503 "), refused
        assert "retry-after: " in refused.lower()
        assert "is stopping" in refused
        assert time.monotonic() - began >= GRACE
        # And it ends, by the signal that it was given, as uvicorn would have it
        assert process.wait(30) == -signal.SIGTERM
    # And of that nothing is left, while the other job has its file
    with steps.db.reading() as session:
        job = session.scalars(sa.select(Job).where(col(Job.id) != watched.id)).one()
    assert str(job.id) in accepted
    assert len(Storage(settings.storage).get(job.input["key"])) == 2 * len(BLOCK)
    assert len(stored.files) == 1
    assert UUID(stored.files[0].split("/")[1]) == job.id
