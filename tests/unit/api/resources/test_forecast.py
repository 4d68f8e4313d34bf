"""How often the API looks around for what estimates are made of."""

from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
import pytest

from octavia.api.resources import forecast
from octavia.api.resources.forecast import Forecast
from octavia.errors import Unavailable
from octavia.jobs.status.estimates import Outlook

NOTHING = Outlook({}, None, (), {})
LATER = Outlook({}, 1.0, (), {})


def run(look: Callable[[], Awaitable[Outlook]], scenario: Callable[[Forecast], Awaitable[None]]) -> None:
    """Play a scenario beside a forecast that runs."""

    async def main() -> None:
        found = Forecast(look)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(found.run)
            await scenario(found)
            tasks.cancel_scope.cancel()

    anyio.run(main)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks waits for as long as a look takes, on whatever machine."""
    monkeypatch.setattr(forecast, "_PATIENCE_SECONDS", 3600)
    monkeypatch.setattr(forecast, "_STALE_SECONDS", 3600)


async def until(found: Forecast, expected: Outlook | None) -> None:
    with anyio.fail_after(60):
        while await found.outlook() is not expected:
            await anyio.lowlevel.checkpoint()


def test_many_who_ask_are_one_look() -> None:
    looks = 0
    answers: list[Outlook | None] = []

    async def look() -> Outlook:
        nonlocal looks
        looks += 1
        await anyio.sleep(0.01)
        return NOTHING

    async def scenario(found: Forecast) -> None:
        async def ask() -> None:
            answers.append(await found.outlook())

        # While nobody asks, nobody looks
        await anyio.wait_all_tasks_blocked()
        assert looks == 0
        # When many ask at once, and one a bit later
        async with anyio.create_task_group() as asking:
            for _ in range(20):
                asking.start_soon(ask)
        await ask()

    run(look, scenario)
    # Then they all get what one look gave
    assert (answers, looks) == ([NOTHING] * 21, 1)


def test_an_outlook_that_is_a_bit_old_is_used_while_another_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "_FRESH_SECONDS", 0.0)
    begun, again = anyio.Event(), anyio.Event()
    looks = 0

    async def look() -> Outlook:
        nonlocal looks
        looks += 1
        if looks == 1:
            return NOTHING
        begun.set()
        await again.wait()
        return LATER

    async def scenario(found: Forecast) -> None:
        assert await found.outlook() is NOTHING
        # While the next look takes its time, the last one is good enough
        await found.outlook()
        await begun.wait()
        assert await found.outlook() is NOTHING
        again.set()
        await until(found, LATER)

    run(look, scenario)


def test_a_database_that_is_away_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "_FRESH_SECONDS", 0.0)
    looks = 0

    async def look() -> Outlook:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise Unavailable("away")
        return NOTHING

    async def scenario(found: Forecast) -> None:
        assert await found.outlook() is None
        await until(found, NOTHING)

    run(look, scenario)


def test_nobody_waits_long_nor_gets_an_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "_FRESH_SECONDS", 0.0)
    looks = 0

    async def look() -> Outlook:
        nonlocal looks
        looks += 1
        if looks > 1:
            await anyio.sleep_forever()
        return NOTHING

    async def scenario(found: Forecast) -> None:
        # Given an outlook, of which there will be no other
        assert await found.outlook() is NOTHING
        # When it is old, then nobody gets it, nor waits for the next one
        monkeypatch.setattr(forecast, "_PATIENCE_SECONDS", 0.01)
        monkeypatch.setattr(forecast, "_STALE_SECONDS", 0.05)
        await until(found, None)

    run(look, scenario)
