"""Clients that do not read, or hold connections for nothing, are let go of, and others are served meanwhile."""

import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect as connect_websocket

from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import JobType
from octavia.settings import Settings
from octavia.storage import Storage
from tests.integration.api.driving import complete
from tests.integration.api.server import Server, until_answers
from tests.integration.jobs.steps import Steps
from tests.support.ports import free_port
from tests.support.waiting import until

PAUSE = 2.0
LEAST = 4096
"""Bytes a second."""

DESCRIPTORS = 256
ATTACKERS = 300
"""More than there are descriptors."""

MOST_LINES = 150
"""Per attack; each kind of warning may have 20 lines in 10 s."""

MEGABYTE = 1024 * 1024


def request(path: str, method: str = "GET", **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def connect(port: int) -> socket.socket:
    """Open a connection that takes few bytes before the client reads."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", port))
    return connection


def send_what_fits(connection: socket.socket, data: bytes) -> None:
    connection.setblocking(False)
    with suppress(OSError):
        connection.send(data)


# Against a server in a process of its own, with few descriptors


class Service:
    """``octavia serve``: its process, and what it has said."""

    def __init__(self, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.port = port
        self.process = process
        self.log = log

    @property
    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    @property
    def held(self) -> int:
        """Descriptors but for those of the database, whose connections are kept for the next request."""
        held = 0
        for descriptor in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                held += "octavia.db" not in str(descriptor.readlink())
        return held

    def lines(self) -> list[str]:
        """What it has said but for the log of requests."""
        return [line for line in self.log.read_text().splitlines() if '"http_request"' not in line]

    def answers(self, client: httpx.Client, method: str = "GET", path: str = "/healthz", **options: object) -> bool:
        """Send a request as clients should: once more after 503, or if its connection is gone."""
        try:
            answer = client.request(method, f"http://127.0.0.1:{self.port}{path}", **options)  # type: ignore[arg-type]
        except httpx.TransportError:
            return False
        assert answer.is_success or answer.status_code == 503, answer.text
        return answer.is_success


@contextmanager
def serve(settings: Settings, log: Path) -> Iterator[Service]:
    command = [sys.executable, "-P", "-m", "octavia", "serve", "--no-workers"]
    with log.open("wb") as told:
        process = subprocess.Popen(
            command,
            env=os.environ | settings.environment(),
            stderr=told,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS)),
        )
        try:
            until_answers(settings.port)
            yield Service(settings.port, process, log)
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def service(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("served")
    settings = Settings(data_dir=folder, models_dir=folder / "models", port=free_port(), ready_queues=())
    (folder / "octavia.db").write_bytes(sqlite_template.read_bytes())
    with serve(settings, folder / "log") as service:
        yield service


ATTACKS = {
    "answers that nobody reads": request("/openapi.json") * 100,
    "files that nobody reads": request("/docs/swagger-ui-bundle.js") * 20,
    "nothing": b"",
    "half of the headers": request("/healthz")[:30],
    "half of a body": request("/api/v1/jobs", "POST", **{"Content-Type": "application/json", "Content-Length": "9"}),
    "one request": request("/healthz"),
}


@pytest.mark.parametrize("sent", ATTACKS.values(), ids=ATTACKS.keys())
def test_more_connections_than_descriptors_do_not_keep_others_out(service: Service, sent: bytes) -> None:
    before, said = service.held, len(service.lines())
    text = {"type": "translate", "text": "Hi.", "source_language": "en", "target_language": "es"}
    with ExitStack() as stack, httpx.Client(timeout=10) as client:
        # Given clients that open connections, send this and do nothing more, again and again
        attackers: list[socket.socket] = []
        for _ in range(3):
            for _ in range(ATTACKERS // 3):
                attackers.append(stack.enter_context(connect(service.port)))
                send_what_fits(attackers[-1], sent)
            # When somebody else wants something, Then it is had
            until(lambda: service.answers(client), every=0.1)
            until(lambda: service.answers(client, "POST", "/api/v1/jobs", json=text), every=0.1)
        assert len(attackers) == ATTACKERS
        # And there are descriptors left for what is no connection
        assert service.descriptors < DESCRIPTORS * 3 // 4
    # And all come back, and the log is still readable
    until(lambda: service.held <= before)
    assert len(service.lines()) - said < MOST_LINES


def test_a_want_of_descriptors_is_not_logged_without_end(service: Service) -> None:
    # Given a server whose descriptors are all taken, by whatever it is
    said = len(service.lines())
    limits = resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE, (service.descriptors, DESCRIPTORS))
    try:
        with ExitStack() as stack:
            # When clients wait for seconds to be accepted
            for _ in range(50):
                stack.enter_context(connect(service.port))
            until(lambda: len(service.lines()) > said)
            time.sleep(3)
            # Then it says so now and then
            assert "out of system resource" in service.lines()[said]
            assert len(service.lines()) - said < 50
    finally:
        resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, limits[1]))
    # And serves on when there are some
    with httpx.Client(timeout=10) as client:
        until(lambda: service.answers(client))


# Against a server in a thread, with short deadlines


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str) -> Settings:
    return Settings(
        data_dir=tmp_path,
        models_dir=tmp_path / "models",
        database_url=sqlite_url,
        body_timeout_seconds=PAUSE,
        body_bytes_per_second=LEAST,
        keep_alive_seconds=600,
        max_connections=8,
    )


@pytest.fixture
def steps(sqlite_url: str) -> Iterator[Steps]:
    database = Database(sqlite_url)
    yield Steps(database)
    database.close()


def job_with_results(server: Server, steps: Steps, settings: Settings) -> str:
    """Return the path of a job that has completed."""
    answer = httpx.post(
        f"http://127.0.0.1:{server.port}/api/v1/jobs",
        data={"type": "dub", "source_language": "en", "target_language": "es"},
        files={"file": ("a.wav", b"sound", "audio/wav")},
    )
    job = answer.json()
    complete(steps, Storage(settings.storage), next(iter({ref.job_id for ref in steps.unsent()})))
    return f"/api/v1/jobs/{job['id']}"


def alone(server: Server) -> bool:
    return not server.connections and not server.answering


@pytest.mark.parametrize("what", ["json", "asset", "result", "archive", "half-closed"])
@pytest.mark.parametrize("reading", ["never", "a byte at a time"])
def test_an_answer_that_is_not_read_is_ended(
    server: Server, steps: Steps, settings: Settings, what: str, reading: str
) -> None:
    # Given a client that begins to read an answer, and then stops, or goes on a byte at a time
    results = job_with_results(server, steps, settings)
    path = {
        "asset": "/docs/swagger-ui-bundle.js",
        "result": f"{results}/audio.wav",
        "archive": f"{results}/artifacts.zip",
    }
    with connect(server.port) as connection:
        connection.sendall(request(path.get(what, "/openapi.json")) * 20)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        if what == "half-closed":
            connection.shutdown(socket.SHUT_WR)

        def gone() -> bool:
            if reading != "never":
                with suppress(OSError):
                    connection.recv(1)
            return alone(server)

        # Then it is let go of, with all that its requests held
        until(gone, every=0.02)


def test_an_answer_over_a_slow_link_arrives(server: Server) -> None:
    # Given a client that reads steadily for longer than any pause may be, and faster than it must
    with connect(server.port) as connection:
        connection.sendall(request("/docs/swagger-ui-bundle.js", Connection="close"))
        received = bytearray(connection.recv(65536))
        began = time.monotonic()
        while time.monotonic() - began < 4 * PAUSE:
            received += connection.recv(LEAST)
            time.sleep(0.1)
        # When it reads the rest, Then the answer is whole
        while data := connection.recv(65536):
            received += data
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head.lower()


def test_a_watcher_that_reads_seldom_and_has_little_to_read_stays(server: Server, steps: Steps) -> None:
    # Given somebody who watches a job that tells something now and then
    job = steps.submit(JobType.TRANSCRIBE)
    with connect(server.port) as connection:
        connection.sendall(request(f"/api/v1/jobs/{job.id}/events"))
        received = b""
        # When that goes on for longer than a pause, at a lower rate than that of bodies
        for seen in range(10):
            while received.count(b"id: ") <= seen:
                received += connection.recv(1000)
            time.sleep(PAUSE / 4)
            steps.emit(job.id, number=seen)
            server.hub.wake(job.id)
        # Then it hears all of it
    assert received.count(b"id: ") == 10


def watch_by_sse(server: Server, job_id: object, stack: ExitStack) -> None:
    connection = stack.enter_context(connect(server.port))
    connection.sendall(request(f"/api/v1/jobs/{job_id}/events"))


def watch_by_websocket(server: Server, job_id: object, stack: ExitStack) -> None:
    # The library's own thread reads no more than a few messages that nobody takes.
    uri = f"ws://127.0.0.1:{server.port}/api/v1/jobs/{job_id}/ws"
    watching = connect_websocket(uri, sock=connect(server.port), max_queue=1, compression=None, close_timeout=0)
    stack.callback(watching.socket.close)


@pytest.mark.parametrize("watch", [watch_by_sse, watch_by_websocket])
def test_a_watcher_that_does_not_read_is_ended(
    server: Server, steps: Steps, watch: Callable[[Server, object, ExitStack], None]
) -> None:
    # Given somebody who watches a job and does not read
    job = steps.submit(JobType.TRANSCRIBE)
    with ExitStack() as stack:
        watch(server, job.id, stack)
        until(lambda: not server.hub.idle)
        # When much happens to it
        steps.emit(job.id, 1000, text="x" * 1000)
        server.hub.wake(job.id)
        # Then the watching ends, with its connection, and before a ping goes unanswered for long
        until(lambda: server.hub.idle and alone(server), seconds=30)


def open_raw_websocket(server: Server, job_id: object) -> socket.socket:
    connection = connect(server.port)
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    connection.sendall(request(f"/api/v1/jobs/{job_id}/ws", **upgrade, **key))
    until(lambda: not server.hub.idle)
    return connection


def test_a_websocket_that_pings_and_does_not_read_fills_no_memory(server: Server, steps: Steps) -> None:
    # Given a WebSocket whose client sends pings, and reads no answers to them
    job = steps.submit(JobType.TRANSCRIBE)
    with open_raw_websocket(server, job.id) as connection:
        (protocol,) = server.connections
        ping = b"\x89\xfd\x00\x00\x00\x00" + b"x" * 125
        most = 0
        connection.settimeout(0.1)
        for _ in range(100):
            with suppress(OSError):
                connection.sendall(ping * 1000)
            most = max(most, protocol.transport.get_write_buffer_size())
    # Then the answers do not pile up
    assert 0 < most < MEGABYTE


def test_fragments_of_nothing_fill_no_memory(server: Server, steps: Steps) -> None:
    # Given a WebSocket whose client sends a message in fragments without end, and without anything in them
    job = steps.submit(JobType.TRANSCRIBE)
    with open_raw_websocket(server, job.id) as connection:
        (protocol,) = server.connections
        connection.sendall(b"\x01\x80\x00\x00\x00\x00" + b"\x00\x80\x00\x00\x00\x00" * 10_000)
        # And then one with something
        connection.sendall(b"\x00\x81\x00\x00\x00\x00x")
        until(lambda: b"x" in protocol.frames)
        # Then the others are not kept
        assert len(protocol.frames) < 10


def test_a_client_that_sends_on_while_it_waits_is_cut_off(server: Server, steps: Steps) -> None:
    # Given a client that waits for a job, and sends further requests all the time
    job = steps.submit(JobType.TRANSCRIBE)
    with connect(server.port) as connection:
        connection.sendall(request(f"/api/v1/jobs/{job.id}/process", "POST", Prefer="wait=60"))
        until(lambda: not server.hub.idle)
        connection.settimeout(0.1)

        def gone() -> bool:
            with suppress(OSError):
                connection.sendall(request("/healthz") * 10_000)
            return server.hub.idle and alone(server)

        # Then it is let go of before they fill the memory
        until(gone)


def test_when_all_connections_are_busy_another_one_is_refused(server: Server, steps: Steps) -> None:
    # Given as many clients as there may be, all of which wait for us
    job = steps.submit(JobType.TRANSCRIBE)
    with ExitStack() as stack:
        busy = [stack.enter_context(connect(server.port)) for _ in range(8)]
        for connection in busy:
            connection.sendall(request(f"/api/v1/jobs/{job.id}/events"))
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        # When another one comes
        answer = httpx.get(f"http://127.0.0.1:{server.port}/healthz")
        # Then it is told to come later
        assert (answer.status_code, answer.json()["code"]) == (503, "too_many_connections")
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["connection"] == "close"
        # And is served when one has gone
        busy[0].close()
        until(lambda: httpx.get(f"http://127.0.0.1:{server.port}/healthz").is_success)


def test_an_idle_connection_makes_room_and_a_busy_one_does_not(server: Server, steps: Steps) -> None:
    job = steps.submit(JobType.TRANSCRIBE)
    with ExitStack() as stack:
        # Given a watcher, and idle connections that may idle for long
        watcher = stack.enter_context(connect(server.port))
        watcher.sendall(request(f"/api/v1/jobs/{job.id}/events"))
        assert watcher.recv(1000).startswith(b"HTTP/1.1 200 ")
        idle = [stack.enter_context(connect(server.port)) for _ in range(7)]
        for connection in idle:
            connection.sendall(request("/healthz", "HEAD"))
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        # When others come
        for _ in range(3):
            another = stack.enter_context(connect(server.port))
            another.sendall(request("/healthz", "HEAD"))
            assert another.recv(1000).startswith(b"HTTP/1.1 200 ")
        # Then those that have been idle for longest have made room
        assert [connection.recv(1) for connection in idle[:3]] == [b"", b"", b""]
        for connection in idle[3:]:
            connection.sendall(request("/healthz", "HEAD"))
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        # And the watcher watches
        steps.emit(job.id, text="still here")
        server.hub.wake(job.id)
        received = b""
        while b"still here" not in received:
            data = watcher.recv(1000)
            assert data
            received += data
