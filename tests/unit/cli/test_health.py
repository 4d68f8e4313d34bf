"""What a container's health check hears."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from octavia.cli import console
from octavia.jobs.operations import pauses
from octavia.jobs.status import workers
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import PauseMode, Queue
from octavia.settings import get_settings
from tests.support.command import Run, runner
from tests.support.ports import free_port


@pytest.fixture(autouse=True)
def service(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of a container: an empty database, and an API that listens everywhere."""
    monkeypatch.setenv("OCTAVIA_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("OCTAVIA_HOST", "0.0.0.0")
    monkeypatch.setenv("OCTAVIA_PORT", str(free_port()))
    get_settings.cache_clear()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys, "health")


@pytest.fixture
def alive() -> Iterator[None]:
    """An API that lives and is not ready."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/healthz" else 503)
            self.end_headers()
            self.wfile.write(b'{"code":"no_workers"}')

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", get_settings().port), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.usefixtures("alive")
def test_an_api_that_lives_is_healthy_and_need_not_be_ready(run: Run) -> None:
    # When an API is asked that lives, then all is well, by way of this machine although it listens everywhere
    assert "http://127.0.0.1:" in run()

    # But not when it is asked whether it is ready: then it says what is missing
    assert "no_workers" in run("--ready", code=console.FAILED)


def test_an_api_that_is_not_there_is_not_healthy(run: Run) -> None:
    assert "api_unavailable" in run(code=console.FAILED)


def test_a_hosts_workers_are_healthy_once_one_was_seen(run: Run, sqlite_url: str) -> None:
    # Given workers of another host, and some of this one that die whenever they are started
    database = Database(sqlite_url)
    workers.mark_seen(database, "elsewhere:1:a", "elsewhere", 1, [Queue.DEFAULT], None, 0)
    workers.mark_seen(database, "here:0:a", socket.gethostname(), 0, [], None, 0)
    assert "no_workers" in run("--worker", code=console.FAILED)

    # When one of this host lives, then it is healthy
    workers.mark_seen(database, "here:2:a", socket.gethostname(), 2, [Queue.DEFAULT], None, 0)
    database.close()
    assert "Living workers of" in run("--worker")


def test_a_host_without_workers_is_healthy_while_it_is_drained(run: Run, sqlite_url: str) -> None:
    # Given a host whose workers an operator has ended, and one of another that only waits
    with closing(Database(sqlite_url)) as database:
        order = pauses.pause(database, None, "elsewhere", mode=PauseMode.DRAIN, by="ann")
        assert "no_workers" in run("--worker", code=console.FAILED)
        pauses.resume(database, order.id, by="ann")
        order = pauses.pause(database, None, socket.gethostname(), mode=PauseMode.DRAIN, by="ann")
        # Then nobody need start it anew
        assert "as an operator has ordered" in run("--worker")
        # But when the order has ended, its workers have to come back
        pauses.resume(database, order.id, by="ann")
        assert "no_workers" in run("--worker", code=console.FAILED)


def test_api_and_workers_are_asked_apart(run: Run) -> None:
    assert "Give one of both" in run("--ready", "--worker", code=console.USAGE)
