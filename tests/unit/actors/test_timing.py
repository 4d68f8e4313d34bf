"""What the settings allow a dub, and what is said of a text's speech."""

from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from octavia.actors.timing import placed, rates_of, timing
from octavia.media.fitting import Rates
from octavia.media.timeline import GAP
from octavia.settings import Settings
from tests.support.job import job

ROWS = [{"start": 0.0, "end": 1.0, "seconds": 2.4}, {"start": 2.0, "end": 3.0, "seconds": 1.0}]


def work(kind: str, **settings: float) -> Any:
    """As much of a task in hand as placing uses."""
    return SimpleNamespace(job=job(kind=kind, duration=4.0), settings=Settings(**settings), dub=None)


def test_speech_is_fitted_to_the_recording() -> None:
    # Given two utterances, the first of which needs more than the pause after it
    task = work("media")
    # When they are placed
    first, second = placed(task, ROWS)
    # Then it is as fast as it must be, the next is in time, and the job says so
    assert timing(task, first) == {
        "until": 2.0,
        "natural_seconds": 2.4,
        "rate": 1.25,
        "lateness": 0.0,
        "unfitted": False,
    }
    assert second.start == pytest.approx(2.0)
    assert (task.dub["utterances"], task.dub["fitted"], task.dub["worst_rate"]) == (2, 1.0, 1.25)


def test_the_speech_of_a_text_is_not() -> None:
    task = work("text")
    first, second = placed(task, ROWS)
    assert (first.seconds, second.start, second.rate) == (2.4, 2.4 + GAP, 1.0)
    assert timing(task, first) == {}
    assert task.dub is None


def test_the_operator_sets_the_rates() -> None:
    task = work("media", dub_min_rate=0.9, dub_max_rate=1.1, dub_hurried_rate=1.2)
    assert rates_of(task) == Rates(0.9, 1.1, 1.2)
    assert placed(task, ROWS)[0].rate == 1.2


@pytest.mark.parametrize(
    "values",
    [
        {"dub_min_rate": 1.1},
        {"dub_max_rate": 0.9},
        {"dub_max_rate": 1.6},
        {"dub_max_rate": 1.3, "dub_hurried_rate": 1.2},
    ],
)
def test_rates_that_contradict_each_other_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="dub_"):
        Settings(**values)
