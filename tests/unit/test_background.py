"""Background work goes on after any error, pauses longer each time, says what it does, and ends when told."""

import asyncio
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace

import anyio
import anyio.lowlevel
import pytest
from structlog.testing import capture_logs

from octavia.background import Turns, keep_on, keep_on_async
from octavia.errors import Unavailable
from tests.support.waiting import until


class Panic(BaseException):
    """What a library in Rust raises: no ``Exception``."""


ERRORS = [RuntimeError("a mistake"), Panic("a mistake"), BaseExceptionGroup("several", [Panic("a mistake")])]


class Work:
    """Fails at its first turns with the given errors, and then goes well."""

    def __init__(self, *errors: BaseException) -> None:
        self._errors = iter(errors)
        self.turns = 0

    def __call__(self) -> None:
        self.turns += 1
        for error in self._errors:
            raise error


def done(work: Work, turns: Turns, amount: int) -> list[float]:
    """Let it work for so many turns; returns its pauses."""
    pauses: list[float] = []
    keep_on(turns, work, ended=lambda: work.turns >= amount, wait=pauses.append)
    return pauses


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_any_error_is_logged_with_its_traceback_and_the_work_goes_on(error: BaseException) -> None:
    # Given work that fails once, in a way that nobody expected
    work = Work(error)
    # When it is kept on
    with capture_logs() as logs:
        pauses = done(work, Turns("relay", first=0.25, queue="default"), 3)
    # Then it went on after a pause, and the log says what happened, with the traceback, and that it is over
    assert (work.turns, pauses) == (3, [0.25])
    failed, recovered = logs
    assert failed == {
        "event": "relay_failed",
        "log_level": "error",
        "again_in": 0.25,
        "exc_info": error,
        "queue": "default",
    }
    assert error.__traceback__
    assert recovered["event"] == "relay_recovered"


def test_an_outage_needs_no_traceback() -> None:
    # Given work that waits for a database
    with capture_logs() as logs:
        done(Work(Unavailable("It is away.", reason="refused", code="database_unavailable")), Turns("relay"), 2)
    # Then the log says what it waits for
    assert logs[0] == {
        "event": "relay_waiting",
        "log_level": "warning",
        "reason": "database_unavailable",
        "detail": "It is away. refused",
        "again_in": 0.5,
    }


def test_pauses_grow_to_a_bound_and_begin_anew_after_a_success() -> None:
    # Given work that fails five times, goes well once, and fails again
    turns = Turns("relay", first=1, longest=4)
    first = done(Work(*[RuntimeError()] * 5), turns, 6)
    again = done(Work(RuntimeError()), turns, 2)
    # Then
    assert (first, again) == ([1, 2, 4, 4, 4], [1])
    assert turns.pause == 0


def test_a_failure_after_a_long_turn_is_a_first_one(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a turn that fails soon, and one that fails after it had worked for longer than the longest pause
    moments = iter([0.0, 0.0, 0.1, 10.0, 100.0])
    # Its clock alone: whoever handles the log has one, too.
    monkeypatch.setattr("octavia.background.time", SimpleNamespace(monotonic=lambda: next(moments)))
    turns = Turns("relay", first=1, longest=30)
    # When
    pauses = [turns.attempt(Work(RuntimeError())) for _ in range(2)]
    # Then
    assert pauses == [1, 1]


def test_work_that_fails_again_and_again_is_broken_until_it_goes_well() -> None:
    # Given work that fails five times in a row
    turns = Turns("relay")
    broken = []
    for error in [RuntimeError()] * 5:
        broken.append(turns.broken)
        turns.attempt(Work(error))
    assert (broken, turns.broken) == ([False] * 5, True)
    # When a turn goes well, then it is whole again
    turns.attempt(Work())
    assert not turns.broken


def test_work_is_whole_again_when_a_turn_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given work whose turn has no end when it goes well, and that has failed five times
    turns = Turns("wakeups", first=1, longest=10)
    for _ in range(5):
        turns.attempt(Work(RuntimeError()))
    assert turns.broken
    # When it has not failed again for longer than its pauses, then it works
    later = time.monotonic() + 21
    monkeypatch.setattr("octavia.background.time", SimpleNamespace(monotonic=lambda: later))
    assert not turns.broken


def test_an_outage_does_not_mean_that_the_work_is_broken() -> None:
    turns = Turns("relay")
    for _ in range(9):
        turns.attempt(Work(Unavailable("away")))
    assert not turns.broken


@pytest.mark.parametrize("order", [KeyboardInterrupt, SystemExit])
def test_an_order_to_exit_ends_a_main_loop(order: type[BaseException]) -> None:
    with pytest.raises(order):
        done(Work(order()), Turns("supervisor"), 2)


def test_in_a_thread_an_order_to_exit_is_an_error_as_any_other() -> None:
    # Given a thread whose work calls sys.exit
    work, stopping = Work(SystemExit(1)), threading.Event()
    args = (Turns("relay", first=0.001), work)
    thread = threading.Thread(target=keep_on, args=args, kwargs={"ended": stopping.is_set, "wait": stopping.wait})
    # When it runs
    thread.start()
    # Then it works on, and ends when told
    until(lambda: work.turns > 2)
    stopping.set()
    thread.join(60)
    assert not thread.is_alive()


def kept_on_a_loop(*errors: BaseException) -> Work:
    """Work on an event loop until it has done three turns, then cancel it."""
    work, done = Work(*errors), anyio.Event()

    async def turn() -> None:
        work()
        if work.turns >= 3:
            done.set()
        await anyio.lowlevel.checkpoint()

    async def main() -> None:
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(keep_on_async, Turns("forecast", first=0.001), turn)
                await done.wait()
                tasks.cancel_scope.cancel()

    anyio.run(main)
    return work


@pytest.mark.parametrize("error", [*ERRORS, asyncio.CancelledError()], ids=lambda error: type(error).__name__)
def test_a_task_of_an_event_loop_goes_on_too_and_takes_nobody_along(error: BaseException) -> None:
    # Given a task that fails; one of its errors is that a future which it waited for was cancelled
    assert kept_on_a_loop(error).turns >= 3


@pytest.mark.parametrize("inside", [True, False], ids=["in a turn", "in a pause"])
def test_a_task_that_is_cancelled_ends_at_once(inside: bool) -> None:
    # Given a task in the middle of a long turn, or of a long pause
    async def turn() -> None:
        if not inside:
            raise RuntimeError
        await anyio.sleep(3600)

    async def main() -> None:
        task = asyncio.create_task(keep_on_async(Turns("forecast", first=3600.0, longest=3600.0), turn))
        await anyio.wait_all_tasks_blocked()
        # When it is cancelled, then it ends
        task.cancel()
        with anyio.fail_after(60), pytest.raises(asyncio.CancelledError):
            await task

    run: Callable[..., object] = anyio.run
    run(main)


def test_work_that_does_not_return_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given work that went well once, and then waits for something in vain
    turns = Turns("work")
    turns.attempt(lambda: None)
    seen = []

    def wait() -> None:
        for passed in (0, 500, 700):
            monkeypatch.setattr("octavia.background.time.monotonic", lambda passed=passed: began + passed)
            seen.append(turns.hanging)

    began = time.monotonic()
    turns.attempt(wait)
    # Then that is seen after ten minutes, and no more once it has returned
    assert seen == [False, False, True]
    assert not turns.hanging
