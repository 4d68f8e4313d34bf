"""How much a window admits."""

from octavia.jobs.protocol.fairness import cost_of
from octavia.jobs.protocol.windows import AHEAD_SECONDS, Window
from octavia.jobs.tables.states import Stage

CHUNK = cost_of(Stage.TRANSCRIBE, 29.0)
LINE = cost_of(Stage.TRANSLATE, 4.0)


def _admitted(window: Window, priority: int, cost: float) -> int:
    """Release until the window is full."""
    number = 0
    while window.admit(priority, cost):
        number += 1
    return number


def test_heavy_tasks_are_released_just_in_time() -> None:
    # Given a queue with two workers, one of them busy, Then one chunk goes out, and none once both are
    assert _admitted(Window(slots=2, busy=1), 2, CHUNK) == 1
    assert _admitted(Window(slots=2, busy=2), 2, CHUNK) == 0


def test_small_tasks_are_released_ahead_so_that_no_worker_waits() -> None:
    # Given busy workers, Then as many lines go out as take them a moment
    ahead = _admitted(Window(slots=2, busy=2), 2, LINE)
    assert ahead == int(2 * AHEAD_SECONDS / LINE) > 5


def test_what_is_less_urgent_holds_up_nothing() -> None:
    # Given a window full of normal work, but no worker that is busy yet
    window = Window(slots=1)
    window.add(2, CHUNK)
    # Then urgent work is released, and low work is not
    assert not window.admits(2, CHUNK)
    assert not window.admits(1, LINE)
    assert window.admits(3, CHUNK)


def test_a_queue_that_stands_still_admits_nothing() -> None:
    assert not Window(slots=0).admits(3, LINE)
