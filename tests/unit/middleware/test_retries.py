import pytest
from dramatiq.errors import ConnectionClosed

from octavia.errors import (
    Canceled,
    InputError,
    LeaseLost,
    ModelError,
    Stopping,
    TaskFailed,
    TimeLimitExceeded,
    Unavailable,
)
from octavia.middleware.retries import Ending, ending_of


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (Canceled("stop"), Ending.CANCELED),
        (LeaseLost("gone"), Ending.DISCARDED),
        (Stopping("bye"), Ending.GIVEN_BACK),
        (Unavailable("away"), Ending.GIVEN_BACK_LATER),
        (ConnectionClosed("away"), Ending.GIVEN_BACK_LATER),
        (TaskFailed("wrong"), Ending.FAILED),
        (TimeLimitExceeded("late"), Ending.FAILED),
        (InputError("bad"), Ending.FAILED),
        (ModelError("damaged"), Ending.FAILED),
        (RuntimeError("a mistake"), Ending.FAILED),
        (MemoryError(), Ending.FAILED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else value.name,
)
def test_the_ending_of_an_attempt_depends_on_its_actors_exception(error: BaseException, ending: Ending) -> None:
    # Given what an actor raised
    # When the attempt ends
    # Then only what is wrong with the work counts as a failure
    assert ending_of(error) is ending
