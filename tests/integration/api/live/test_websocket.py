"""A job's events over a WebSocket, as a client library sees them."""

import json
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from socket import SHUT_RDWR
from typing import Any
from uuid import UUID, uuid4

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from octavia.jobs.access import keys
from octavia.jobs.access.keys import Scope
from octavia.jobs.lifecycle import submit
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.states import JobType
from octavia.settings import Settings
from tests.integration.api.live.conftest import on_sqlite
from tests.integration.api.server import Server
from tests.integration.jobs.steps import MEDIA, Steps
from tests.support.waiting import until


def open_socket(server: Server, job_id: UUID | str, query: str = "", **options: Any) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{server.port}/api/v1/jobs/{job_id}/ws{query}", **options)


def rest(socket: ClientConnection) -> tuple[list[dict[str, Any]], int | None, str | None]:
    """All that still comes, and how the socket was closed."""
    got = []
    try:
        while True:
            got.append(json.loads(socket.recv(timeout=20)))
    except ConnectionClosed as closed:
        return got, closed.rcvd and closed.rcvd.code, closed.rcvd and closed.rcvd.reason


def closing(server: Server, job_id: UUID | str, query: str = "", **options: Any) -> tuple[int | None, str | None]:
    """Return the code and reason with which a socket is closed that should get nothing."""
    with open_socket(server, job_id, query, **options) as socket:
        got, code, reason = rest(socket)
    assert got == []
    return code, reason


def test_a_jobs_life_is_told_while_it_happens(server: Server, steps: Steps) -> None:
    # Given a client that watches a job
    job = steps.submit(JobType.TRANSCRIBE)
    with open_socket(server, job.id) as socket:
        first = json.loads(socket.recv(timeout=20))
        # When it is worked on, Then it hears all of it, and that it has ended
        steps.run_out()
        got, code, _ = rest(socket)
    assert code == 1000
    assert [first, *got] == [
        {"seq": event.seq, "type": event.type, "data": event.data, "at": event.created_at.isoformat()}
        for event in steps.events(job.id)
    ]
    # When it comes again, Then it gets the rest
    with open_socket(server, job.id, f"?after={len(got)}") as socket:
        assert rest(socket) == ([got[-1]], 1000, "")
    assert closing(server, job.id, f"?after={len(got) + 1}") == (1000, "")


@on_sqlite
def test_a_socket_for_a_job_that_cannot_be_watched_is_closed_with_a_reason(server: Server, steps: Steps) -> None:
    theirs = submit.create(steps.db, NewJob(JobType.TRANSCRIBE, "en", owner="somebody", input=dict(MEDIA)))
    mine = steps.submit()
    assert closing(server, theirs.id) == (4404, "job_not_found")
    assert closing(server, uuid4()) == (4404, "job_not_found")
    assert closing(server, "7") == (4404, "invalid_job_id")
    assert closing(server, mine.id, "?after=99") == (4400, "invalid_event_id")
    assert closing(server, mine.id, "?after=x") == (4422, "invalid_field")


def test_a_key_is_asked_for(with_keys: Server, steps: Steps) -> None:
    # Given a job of a key, and another key that may only write
    record, token = keys.create(steps.db, "mine", scopes=[Scope.READ])
    _, writing = keys.create(steps.db, "writing", scopes=[Scope.WRITE])
    job = submit.create(steps.db, NewJob(JobType.TRANSCRIBE, "en", owner=record.owner, input=dict(MEDIA)))
    # Then who has none, a wrong one, or one that may not, is told so
    assert closing(with_keys, job.id) == (4401, "key_required")
    wrong = {"Authorization": f"Bearer oct_{'x' * 50}"}
    assert closing(with_keys, job.id, additional_headers=wrong) == (4401, "invalid_key")
    assert closing(with_keys, job.id, subprotocols=["octavia.bearer", "nonsense"]) == (4401, "invalid_key")
    assert closing(with_keys, job.id, additional_headers={"Authorization": f"Bearer {writing}"}) == (
        4403,
        "scope_missing",
    )
    # And whose it is may watch, with a header or as a browser's page can
    for options in (
        {"additional_headers": {"Authorization": f"Bearer {token}"}},
        {"subprotocols": ["octavia.bearer", token]},
    ):
        with open_socket(with_keys, job.id, **options) as socket:
            assert json.loads(socket.recv(timeout=20))["type"] == "queued"


def test_revoking_a_key_closes_the_socket_and_ends_the_stream(with_keys: Server, steps: Steps) -> None:
    with_keys.hub.poll_seconds = 0.1
    # Given somebody who watches with a key, in both ways
    record, token = keys.create(steps.db, "mine", scopes=[Scope.READ])
    job = submit.create(steps.db, NewJob(JobType.TRANSCRIBE, "en", owner=record.owner, input=dict(MEDIA)))
    headers = {"Authorization": f"Bearer {token}"}
    url = f"http://127.0.0.1:{with_keys.port}/api/v1/jobs/{job.id}/events"
    with open_socket(with_keys, job.id, additional_headers=headers) as socket, httpx.Client() as client:
        socket.recv(timeout=20)
        with client.stream("GET", url, headers=headers, timeout=20) as answer:
            lines = answer.iter_lines()
            assert next(lines) == "id: 1"
            # When the key is revoked, Then nothing more is told
            keys.revoke(steps.db, record.prefix)
            assert rest(socket) == ([], 4401, "invalid_key")
            steps.emit(job.id)
            assert [line for line in lines if line.startswith("id")] == []


@on_sqlite
def test_messages_from_a_client_are_ignored_and_limited(server: Server, steps: Steps) -> None:
    job = steps.submit()
    with open_socket(server, job.id) as socket:
        socket.recv(timeout=20)
        # When a client sends this and that, Then it goes on
        socket.send("hello")
        socket.send(b"\0" * 4000)
        socket.ping().wait(10)
        steps.emit(job.id)
        assert json.loads(socket.recv(timeout=20))["seq"] == 2
        # When it sends without end, Then it is cut off
        with suppress(ConnectionClosed):
            for _ in range(2000):
                socket.send("hello")
        assert rest(socket)[1] == 1008
    # When it sends much at once, too
    with open_socket(server, job.id) as socket:
        socket.recv(timeout=20)
        socket.recv(timeout=20)
        with suppress(ConnectionClosed):  # it may be cut off before it has sent all of it
            socket.send("x" * 100_000)
        assert rest(socket)[1] == 1009
    until(lambda: server.hub.idle)


def test_a_client_that_leaves_leaves_nothing(server: Server, steps: Steps) -> None:
    with ExitStack() as stack:
        sockets = [stack.enter_context(open_socket(server, steps.submit().id)) for _ in range(6)]
        until(lambda: len(server.hub._channels) == 6)
        # When some say good-bye and others just break off, Then nobody is waited for
        for number, socket in enumerate(sockets):
            if number % 2:
                socket.close()
            else:
                socket.socket.shutdown(SHUT_RDWR)
        until(lambda: server.hub.idle)


def test_a_deleted_job_closes_the_socket(server: Server, steps: Steps) -> None:
    server.hub.poll_seconds = 0.1
    job = steps.submit()
    with open_socket(server, job.id) as socket:
        socket.recv(timeout=20)
        steps.change_job(job.id, deleted_at=datetime.now(UTC))
        assert rest(socket) == ([], 4404, "job_not_found")


def test_a_server_that_stops_says_so(settings: Settings, steps: Steps) -> None:
    job = steps.submit()
    with ExitStack() as stack:
        with Server(settings) as server:
            socket = stack.enter_context(open_socket(server, job.id))
            socket.recv(timeout=20)
            began = time.monotonic()
        # Long before requests would have had their time
        assert time.monotonic() - began < 20
        got, code, _ = rest(socket)
    assert (got, code) == ([], 1012)
