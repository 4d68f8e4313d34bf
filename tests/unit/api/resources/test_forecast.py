"""The forecast is read once for many requests, and never used when it is stale."""

from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel

from octavia.api.resources.forecast import Forecast
from octavia.errors import Unavailable
from octavia.jobs.status.estimates import Outlook

NOTHING = Outlook({}, None, (), {})
LATER = Outlook({}, 1.0, (), {})


def run(
    read: Callable[[], Awaitable[Outlook]],
    scenario: Callable[[Forecast], Awaitable[None]],
    *,
    fresh_seconds: float = 5.0,
) -> None:
    """Play a scenario beside a running forecast; requests wait for as long as a reading takes, on whatever machine."""

    async def main() -> None:
        forecast = Forecast(read, fresh_seconds=fresh_seconds, stale_seconds=3600, patience_seconds=3600)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(forecast.run)
            await scenario(forecast)
            tasks.cancel_scope.cancel()

    anyio.run(main)


async def until(forecast: Forecast, expected: Outlook | None) -> None:
    with anyio.fail_after(60):
        while await forecast.latest() is not expected:
            await anyio.lowlevel.checkpoint()


def test_many_requests_for_the_forecast_share_one_reading() -> None:
    readings = 0
    answers: list[Outlook | None] = []

    async def read() -> Outlook:
        nonlocal readings
        readings += 1
        await anyio.sleep(0.01)
        return NOTHING

    async def scenario(forecast: Forecast) -> None:
        async def ask() -> None:
            answers.append(await forecast.latest())

        # While nobody asks, nobody readings
        await anyio.wait_all_tasks_blocked()
        assert readings == 0
        # When many ask at once, and one a bit later
        async with anyio.create_task_group() as asking:
            for _ in range(20):
                asking.start_soon(ask)
        await ask()

    run(read, scenario)
    # Then they all get the result of one reading
    assert (answers, readings) == ([NOTHING] * 21, 1)


def test_latest_returns_the_last_outlook_while_the_next_is_read() -> None:
    begun, again = anyio.Event(), anyio.Event()
    readings = 0

    async def read() -> Outlook:
        nonlocal readings
        readings += 1
        if readings == 1:
            return NOTHING
        begun.set()
        await again.wait()
        return LATER

    async def scenario(forecast: Forecast) -> None:
        assert await forecast.latest() is NOTHING
        # While the next reading takes its time, the last outlook is good enough
        await forecast.latest()
        await begun.wait()
        assert await forecast.latest() is NOTHING
        again.set()
        await until(forecast, LATER)

    run(read, scenario, fresh_seconds=0)


def test_a_forecast_reads_again_after_the_database_was_unavailable() -> None:
    readings = 0

    async def read() -> Outlook:
        nonlocal readings
        readings += 1
        if readings == 1:
            raise Unavailable("away")
        return NOTHING

    async def scenario(forecast: Forecast) -> None:
        assert await forecast.latest() is None
        await until(forecast, NOTHING)

    run(read, scenario, fresh_seconds=0)


def test_latest_waits_briefly_and_never_returns_a_stale_outlook() -> None:
    readings = 0

    async def read() -> Outlook:
        nonlocal readings
        readings += 1
        if readings > 1:
            await anyio.sleep_forever()
        return NOTHING

    async def scenario(forecast: Forecast) -> None:
        # Given an outlook, of which there will be no other
        assert await forecast.latest() is NOTHING
        # When it is old, then nobody gets it, nor waits for the next one
        forecast.patience_seconds, forecast.stale_seconds = 0.01, 0.05
        await until(forecast, None)

    run(read, scenario, fresh_seconds=0)
