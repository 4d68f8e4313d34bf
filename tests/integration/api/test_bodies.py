"""Every route ends a body that does not end, and takes no more of it than that route needs."""

from collections.abc import Iterator, Mapping
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, WebSocketRoute
from starlette.types import Message

from octavia.api.http.operations import DescribedRoute
from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.web import create_app
from tests.integration.api.conftest import Stored

KIB = 1024
MAX_UPLOAD = 64 * KIB
FORM_OVERHEAD = 1024 * KIB
LINGER = 4 * 1024 * KIB
"""What is read and dropped after an answer, so that the client reads it."""

BOUNDARY = "xyz"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
FIELD = b'--xyz\r\nContent-Disposition: form-data; name="type"\r\n\r\ntranscribe\r\n'
FILE = b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
ENDLESS = "/api/v1/operator/events"
"""Its answer does not end; it takes no body, and lets the connection go when the client does."""

IDS = {"job_id": "0192f000-0000-7000-8000-000000000000", "name:path": "dub.wav"}


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    """One kind is enough: none of this gets as far as the database."""
    database = Database(sqlite_url)
    yield database
    database.close()


@pytest.fixture
def app(settings: Settings, database: Database, storage: Storage) -> Starlette:
    return create_app(settings.model_copy(update={"max_upload_bytes": MAX_UPLOAD}), database=database, storage=storage)


def operations(routes: list[BaseRoute], above: str = "") -> Iterator[tuple[str, str]]:
    """Every method and path."""
    for route in routes:
        if isinstance(route, Mount):
            yield from operations(list(route.routes), above + route.path)
        elif isinstance(route, DescribedRoute):
            for method in route.operations:
                path = above + route.path
                if path == ENDLESS:
                    continue
                for name in ("job_id", "name:path", "format", "file", "code", "utterance_id", "delivery_id", "key_id"):
                    path = path.replace("{" + name + "}", IDS.get(name, "x"))
                yield method, path.replace("{model_id}", "x")
        else:
            assert isinstance(route, WebSocketRoute)


class Endless:
    """A request whose body goes on for as long as anybody reads."""

    def __init__(self, app: Starlette, *, first: bytes = b"", then: bytes = b"x" * 64 * KIB) -> None:
        self._app = app
        self._blocks = [first] if first else []
        self._then = then
        self.taken = 0
        self.status = 0
        self.body = b""

    async def __call__(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        given = {"host": "127.0.0.1", "transfer-encoding": "chunked", **headers}
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        await self._app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        block = self._blocks.pop() if self._blocks else self._then
        self.taken += len(block)
        assert self.taken < 16 * 1024 * KIB, "nobody stops reading"
        await checkpoint()
        return {"type": "http.request", "body": block, "more_body": True}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.body += message.get("body", b"")


@pytest.mark.parametrize("content_type", ["application/json", FORM, "application/octet-stream"])
def test_no_route_reads_a_body_that_does_not_end(app: Starlette, stored: Stored, content_type: str) -> None:
    # Given every route that there is
    found = sorted(set(operations(app.routes)))
    assert ("POST", "/api/v1/jobs") in found
    assert ("POST", "/v1/audio/transcriptions") in found
    taken = {}

    async def send_to_each() -> None:
        async with app.router.lifespan_context(app):
            for method, path in found:
                # When a body comes that does not end, and does not say how long it is
                endless = Endless(app)
                await endless(method, path, {"content-type": content_type})
                taken[f"{method} {path}"] = endless.taken
                # Then there is an answer after what a body may have, and what is dropped after an early one
                assert endless.status, path
                assert endless.taken <= 1300 * KIB + LINGER, path

    anyio.run(send_to_each)
    print(f"\nmost bytes taken | {max(taken.values()):,} | {max(taken, key=lambda name: taken[name])}")
    assert stored.empty


@pytest.mark.parametrize(
    ("first", "then", "status", "code"),
    [
        (FIELD + FILE, b"x" * 64 * KIB, 413, "upload_too_large"),
        (b"", b"\r\n" * 32 * KIB, 413, "body_too_large"),
        (FIELD + FILE + b"RIFF\r\n--xyz--\r\n", b"x" * 64 * KIB, 400, "bad_multipart"),
        (FIELD + FILE + b"RIFF\r\n--xyz--\r\n", b"\r\n" * 32 * KIB, 400, "bad_multipart"),
        (FIELD + FILE + b"RIFF\r\n--xyz--", b" " * 64 * KIB, 400, "bad_multipart"),
        (b"", FIELD.replace(b"transcribe", b"").replace(b"type", b"colour"), 400, "bad_multipart"),
        (b"--xyz\r\nX: ", b"x" * 64 * KIB, 400, "bad_multipart"),
        (b"--xyz\r\n", b"X: y\r\n", 400, "bad_multipart"),
        (b'--xyz\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n', b"x" * 64 * KIB, 413, "field_too_long"),
        (b'--xyz\r\nContent-Disposition: form-data; name="colour"\r\n\r\n', b"x" * KIB, 400, "unknown_field"),
        (FIELD + FILE + b"RIFF\r\n--xyz ", b" " * 64 * KIB, 413, "body_too_large"),
    ],
    ids=[
        "file",
        "preamble",
        "epilogue",
        "line-ends-after-it",
        "padding-after-it",
        "parts",
        "header",
        "headers",
        "field",
        "unknown-field",
        "padding",
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/jobs", "/v1/audio/transcriptions"])
def test_a_form_that_does_not_end_is_refused(
    app: Starlette, stored: Stored, path: str, first: bytes, then: bytes, status: int, code: str
) -> None:
    # Given a form that goes on for ever at some place
    if path.startswith("/v1"):
        first = first.replace(b'name="type"', b'name="model"').replace(b"metadata", b"prompt")
        then = then.replace(b'name="type"', b'name="model"')
    endless = Endless(app, first=first, then=then)
    # When it is sent

    async def send() -> None:
        async with app.router.lifespan_context(app):
            await endless("POST", path, {"content-type": FORM})

    anyio.run(send)
    print(f"\n{code} | {endless.taken:,} bytes taken")
    # Then it is refused, and not read for much longer
    assert (endless.status, code.encode() in endless.body) == (status, True), endless.body
    assert endless.taken <= FORM_OVERHEAD + MAX_UPLOAD + LINGER + 128 * KIB
    # And nothing of it is kept
    assert stored.empty
