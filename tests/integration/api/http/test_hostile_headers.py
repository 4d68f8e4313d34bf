"""Nothing in a request's head keeps the API from answering others: each header, path and query is read in no time."""

import ast
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest

from octavia import web
from octavia.api.http.size_limits import MOST_BYTES
from octavia.api.submission import idempotency
from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from octavia.storage import Storage
from tests.integration.api.driving import complete
from tests.integration.api.server import Server
from tests.integration.jobs.steps import MEDIA, Steps

API = Path(web.__file__).parent / "api"
JOB = "/api/v1/jobs/{job}"
DOWNLOAD = f"GET {JOB}/artifacts/dub.wav"
SUBMIT = "POST /api/v1/jobs"
SOCKET = f"GET {JOB}/ws"

READ_BY_US = {
    "accept": "GET /problems/not_found",
    "accept-encoding": "GET /pages/x/operator/main.js",
    "authorization": "GET /api/v1/jobs",
    "content-length": SUBMIT,
    "content-type": SUBMIT,
    "cookie": "DELETE /api/v1/session",
    "host": "GET /api/v1/jobs",
    "idempotency-key": SUBMIT,
    "if-match": f"PATCH {JOB}/utterances/0-0",
    "if-none-match": "GET /openapi.json",
    "if-range": DOWNLOAD,
    "last-event-id": f"GET {JOB}/events",
    "origin": SUBMIT,
    "prefer": f"POST {JOB}/process",
    "range": DOWNLOAD,
    "sec-fetch-dest": "GET /docs",
    "sec-fetch-mode": "GET /docs",
    "sec-fetch-site": "GET /docs",
    "traceparent": "GET /api/v1/jobs",
    "transfer-encoding": SUBMIT,
    "x-forwarded-prefix": "GET /api/v1/jobs",
    "x-request-id": "GET /healthz",
}
"""Every header that our code reads, and a request that makes it do so."""

READ_BY_LIBRARIES = {
    "connection": "GET /healthz",
    "expect": SUBMIT,
    "forwarded": "GET /api/v1/jobs",
    "if-modified-since": "GET /docs/swagger-ui.css",
    "range": "GET /docs/swagger-ui.css",
    "sec-websocket-extensions": SOCKET,
    "sec-websocket-key": SOCKET,
    "sec-websocket-protocol": SOCKET,
    "sec-websocket-version": SOCKET,
    "te": "GET /healthz",
    "upgrade": SOCKET,
    "via": "GET /healthz",
    "x-anything": "GET /healthz",
}

STARTS = {
    "accept-encoding": ("gzip;q=", "gzip;"),
    "content-type": ("multipart/form-data; boundary=", 'multipart/form-data; a="', "application/json;"),
    "range": ("bytes=", "bytes=0-", "bytes"),
    "if-none-match": ('W/"', "W/"),
    "prefer": ("wait", "wait=", "respond-async="),
    "authorization": ("Bearer ", "Bearer oct_"),
    "host": ("127.0.0.1:", "["),
    "origin": ("http://", "http://["),
    "x-forwarded-prefix": ("/a",),
    "sec-websocket-protocol": ("octavia.bearer, ",),
    "sec-websocket-extensions": ('permessage-deflate; a="', "permessage-deflate;"),
}
"""Values that lead a reader further than a run alone."""

RUNS = (" ", "\t", '"', ",", ";", "0", "a", "/", "-", '";', " ,", "0-0,")
SIZES = (MOST_BYTES - 1000, 64_000)
"""As large as the app takes, and as large as the server takes."""

LONGEST = 0.05
"""Seconds of processor time on the event loop."""


def _constants(tree: ast.Module) -> dict[str, str]:
    """The texts that a module names."""
    names = {"HEADER": idempotency.HEADER}
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Constant):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            names[ast.unparse(target)] = str(node.value.value)
    return names


def _name(node: ast.expr, constants: dict[str, str]) -> str:
    return str(node.value).lower() if isinstance(node, ast.Constant) else constants[ast.unparse(node)].lower()


def _of_request(node: ast.expr) -> bool:
    """Whether an expression is the headers of a request: ``request.headers``, ``Headers(scope=scope)``, ``headers``."""
    text = ast.unparse(node)
    made = isinstance(node, ast.Call) and ast.unparse(node.func) == "Headers"
    return made or text == "headers" or text.endswith(("request.headers", "connection.headers"))


def headers_read() -> Iterator[str]:
    """Yield the names of all headers that the API's code looks up."""
    for path in API.rglob("*.py"):
        tree = ast.parse(path.read_text())
        constants = _constants(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _of_request(node.func.value):
                if node.func.attr in ("get", "getlist"):
                    yield _name(node.args[0], constants)
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and _of_request(node.value):
                yield _name(node.slice, constants)
            elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In) and _of_request(node.comparators[0]):
                yield _name(node.left, constants)


class Hostile:
    """A client that sends requests byte by byte, and knows what the server's event loop did meanwhile."""

    def __init__(self, server: Server, job_id: UUID) -> None:
        self._server = server
        self._job_id = job_id
        self.clock = time.pthread_getcpuclockid(server._thread.ident or 0)

    def seconds(self, request: str, *lines: bytes) -> tuple[float, bytes]:
        """Send a request line and headers; returns the seconds of the event loop, and the beginning of the answer."""
        method, _, path = request.replace("{job}", str(self._job_id)).partition(" ")
        given = {line.partition(b":")[0].lower() for line in lines}
        usual = {b"host": b"127.0.0.1", b"connection": b"close", b"content-type": b"application/json"}
        if method != "GET":
            usual[b"content-length"] = b"2"
        if request == SOCKET:
            usual |= {b"connection": b"upgrade", b"upgrade": b"websocket", b"sec-websocket-version": b"13"}
            usual[b"sec-websocket-key"] = b"AAAAAAAAAAAAAAAAAAAAAA=="
        head = [f"{method} {path} HTTP/1.1".encode("latin-1")]
        head += [b"%s: %s" % pair for pair in usual.items() if pair[0] not in given]
        data = b"\r\n".join([*head, *lines, b"", b"{}" if method != "GET" else b""])
        started = time.clock_gettime(self.clock)
        with socket.create_connection(("127.0.0.1", self._server.port), timeout=60) as connection:
            connection.sendall(data)
            answer = connection.recv(65536)
        return time.clock_gettime(self.clock) - started, answer

    def least(self, request: str, *lines: bytes) -> tuple[float, bytes]:
        """The same, with the least of three tries if the first is too long: others use the processor, too."""
        seconds, answer = self.seconds(request, *lines)
        for _ in range(2):
            if seconds > LONGEST:
                seconds = min(seconds, self.seconds(request, *lines)[0])
        return seconds, answer


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Hostile]:
    """One for all tests, which change nothing."""
    tmp_path = tmp_path_factory.mktemp("hostile")
    sqlite_url = f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'octavia.db')}"
    settings = Settings(
        data_dir=tmp_path,
        models_dir=tmp_path / "models",
        database_url=sqlite_url,
        ready_queues=(),
        max_wait_seconds=0.1,
        # So that it reads the clients' traces; none is made in this process.
        otlp_endpoint="http://127.0.0.1:4318",
    )
    database, storage = Database(settings.database), Storage(settings.storage)
    steps = Steps(database)
    described = {"filename": "a.wav", "media_type": "audio/wav", "size": "1", "sha256": "0" * 64}
    job_id = steps.submit(input=MEDIA | described).id
    complete(steps, storage, job_id)
    with Server(settings) as server:
        yield Hostile(server, job_id)
    database.close()


def test_every_header_that_is_read_is_attacked() -> None:
    assert set(headers_read()) == READ_BY_US.keys()


@pytest.mark.parametrize(
    ("header", "request_"), [*READ_BY_US.items(), *READ_BY_LIBRARIES.items()], ids=lambda value: str(value)
)
def test_a_header_is_read_in_no_time(hostile: Hostile, header: str, request_: str) -> None:
    # Given a request that is answered without it
    slow = {}
    for start in ("", *STARTS.get(header, ())):
        for run in RUNS:
            for size in SIZES:
                # When its header is a run of signs
                value = start + run * (size // len(run)) + "x"
                seconds, answer = hostile.least(request_, f"{header}:{value}".encode())
                # Then it has an answer, and others did not wait
                if seconds > LONGEST or not answer.startswith(b"HTTP/1.1 "):
                    slow[start, run, size] = (seconds, answer[:30])
    assert slow == {}


@pytest.mark.parametrize("header", ["x-anything", "content-length", "host"])
def test_a_header_that_breaks_the_protocol_is_refused_in_no_time(hostile: Hostile, header: str) -> None:
    for run in RUNS:
        # When a header is a run of signs that ends in one that no header may have
        seconds, answer = hostile.least("GET /healthz", f"{header}:{run * (64_000 // len(run))}\0".encode())
        # Then the server says so, and others did not wait
        assert seconds < LONGEST, run
        assert answer.startswith(b"HTTP/1.1 400 ")


def test_what_is_too_large_is_said_to_be(hostile: Hostile) -> None:
    # Given an address without a key
    url = f"http://127.0.0.1:{hostile._server.port}/healthz"
    # When headers or address are larger than any need to be, then the answer says which
    large = httpx.get(url, headers={"x-anything": "a" * 64_000}, timeout=60)
    assert (large.status_code, large.json()["code"]) == (431, "headers_too_large")
    long = httpx.get(f"{url}?{'a' * 64_000}", timeout=60)
    assert (long.status_code, long.json()["code"]) == (414, "address_too_long")


def test_many_headers_are_read_in_no_time(hostile: Hostile) -> None:
    for line in (b"a:", b"a: b", b"x-forwarded-prefix: /a", b"prefer: wait=1", b"idempotency-key: a"):
        for size in SIZES:
            seconds, _ = hostile.least(SUBMIT, *([line] * (size // (len(line) + 4))))
            assert seconds < 2 * LONGEST, line


def test_a_path_or_query_is_read_in_no_time(hostile: Hostile) -> None:
    # Given every address that is read, and every parameter of its path and its query
    described = httpx.get(f"http://127.0.0.1:{hostile._server.port}/openapi.json", timeout=60).json()
    requests = ["GET /{}", "GET {}", "GET /?{}", "GET /api/v1/jobs?metadata.{}=a", "GET /api/v1/jobs?metadata.a={}"]
    for path, operations in described["paths"].items():
        for parameter in operations.get("get", {}).get("parameters", ()):
            if parameter["in"] == "path":
                requests.append(f"GET {path.replace('{' + parameter['name'] + '}', '{}')}".replace("{job_id}", "{job}"))
            elif parameter["in"] == "query":
                requests.append(f"GET {path.replace('{job_id}', '{job}')}?{parameter['name']}={{}}")
    assert len(requests) > 30
    slow = {}
    for request in dict.fromkeys(requests):
        for run in (" ", "/", ".", "0", "é", "-", ",", "&", "%00", "../"):
            escaped = run if run in ("/", "&", "%00", "../") else quote(run)
            for size in SIZES:
                filled = request.replace("{}", escaped * (size // len(escaped))) if "{}" in request else request
                # When it is a run of signs
                seconds, _ = hostile.least(filled)
                # Then others do not wait
                if seconds > LONGEST:
                    slow[request, run, size] = seconds
    assert slow == {}
