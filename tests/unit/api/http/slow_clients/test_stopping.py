import anyio
import anyio.lowlevel
import pytest

from octavia.api.http.slow_clients.stopping import Stopping
from octavia.errors import Unavailable


def test_refuse_ends_waiting_requests() -> None:
    # Given somebody who waits for the rest of a request
    stopping = Stopping()

    async def wait() -> None:
        with stopping.waiting():
            await anyio.sleep(60)

    async def run() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await anyio.sleep(0.05)
            # When the server waits for nobody any more
            stopping.refuse()

    # Then the request is refused
    with pytest.raises(ExceptionGroup) as caught:
        anyio.run(run)
    (error,) = caught.value.exceptions
    assert isinstance(error, Unavailable)


def test_waiting_after_refuse_ends_at_once() -> None:
    stopping = Stopping()
    stopping.refuse()

    async def wait() -> None:
        with stopping.waiting():
            await anyio.sleep(60)

    with pytest.raises(Unavailable):
        anyio.run(wait)


def test_refuse_leaves_requests_alone_that_no_longer_wait() -> None:
    # Given somebody who has waited, and works on what has come
    stopping = Stopping()

    async def run() -> str:
        with stopping.waiting():
            await anyio.lowlevel.checkpoint()
        stopping.refuse()
        await anyio.sleep(0.01)
        return "done"

    # Then he gets it done
    assert anyio.run(run) == "done"
