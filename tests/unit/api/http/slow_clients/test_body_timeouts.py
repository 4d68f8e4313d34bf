"""A body that arrives too slowly is refused."""

import math
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from starlette.requests import Request
from starlette.types import Message

from octavia.api.http.slow_clients.body_timeouts import BodyTimeouts
from octavia.api.http.slow_clients.stopping import Stopping
from octavia.errors import InputError
from tests.support.clock import JumpingLoop


class Client:
    """Sends blocks of a body, each after a pause; ``inf``: never."""

    def __init__(self, *blocks: tuple[float, bytes], ends: bool = True) -> None:
        self._blocks = list(blocks)
        self._ends = ends

    async def receive(self) -> Message:
        if not self._blocks:
            await anyio.sleep(0.3)
            return {"type": "http.disconnect"}
        pause, body = self._blocks.pop(0)
        await (anyio.sleep(pause) if pause < math.inf else anyio.sleep_forever())
        return {"type": "http.request", "body": body, "more_body": bool(self._blocks) or not self._ends}


def served(client: Client, work: Callable[[Request], Awaitable[Any]], *, pause: float, rate: int = 1) -> Any:
    """Run ``work`` as an app behind the middleware, and return its result; time passes only in the two of them."""
    results = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        results.append(await work(Request(scope, receive)))

    async def send(message: Message) -> None:
        raise AssertionError("nothing is answered")

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    timed = BodyTimeouts(app, pause=pause, bytes_per_second=rate, stopping=Stopping())
    anyio.run(timed, scope, client.receive, send, backend_options={"loop_factory": JumpingLoop})
    return results[0]


def test_a_body_that_arrives_in_time_is_read() -> None:
    client = Client((0, b"a" * 10), (0.05, b"b" * 10), (0.05, b"c" * 10))
    assert served(client, Request.body, pause=5) == b"a" * 10 + b"b" * 10 + b"c" * 10


def test_a_body_that_stops_arriving_is_refused() -> None:
    client = Client((0, b"a" * 1000), (math.inf, b""))
    with pytest.raises(InputError) as caught:
        served(client, Request.body, pause=0.1)
    assert caught.value.code == "upload_stalled"


def test_a_body_that_never_begins_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        served(Client((math.inf, b"")), Request.body, pause=0.1)
    assert caught.value.code == "upload_stalled"


def test_a_body_that_arrives_too_slowly_is_refused() -> None:
    # Given a client that never pauses for long, and sends a byte each time
    client = Client(*[(0.02, b"x")] * 1000)
    with pytest.raises(InputError) as caught:
        served(client, Request.body, pause=0.2, rate=1000)
    assert caught.value.code == "upload_too_slow"


def test_a_slow_start_is_accepted() -> None:
    # Given a client that waits for less than the pause, and then sends all
    client = Client((0.1, b"x"), (0.05, b"x" * 1000))
    assert len(served(client, Request.body, pause=0.3, rate=1_000_000)) == 1001


def test_a_body_that_ends_late_is_accepted() -> None:
    # Given a body that was too slow, but is whole now
    client = Client((0.1, b"x"), (0.15, b"x"))
    assert served(client, Request.body, pause=0.2, rate=1_000_000) == b"xx"


def test_our_own_time_does_not_count() -> None:
    # Given an app that takes long over each block of a client that sends at once
    async def work(request: Request) -> int:
        size = 0
        async for block in request.stream():
            await anyio.sleep(0.05)
            size += len(block)
        return size

    client = Client(*[(0, b"x" * 10)] * 10)
    assert served(client, work, pause=0.1, rate=10_000) == 100


def test_there_is_no_limit_after_the_body() -> None:
    # Given an app that waits for its client to go away, after the body
    async def work(request: Request) -> Message:
        await request.body()
        return await request.receive()

    assert served(Client((0, b"x")), work, pause=0.1) == {"type": "http.disconnect"}


def test_a_disconnect_is_not_a_stalled_upload() -> None:
    async def work(request: Request) -> list[str]:
        return [(await request.receive())["type"] for _ in range(3)]

    found = served(Client((0, b"x"), ends=False), work, pause=5)
    assert found == ["http.request", "http.disconnect", "http.disconnect"]
