"""Counting, here and in a worker process whose supervisor shows it."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from octavia.metrics import measures
from octavia.metrics.measures import REGISTRY, Measure
from tests.support.metrics import counted

Declare = Callable[..., Measure]


@pytest.fixture
def declare() -> Iterator[Declare]:
    """Declares measures for one test."""
    made: list[Measure] = []

    def one(name: str, *args: Any) -> Measure:
        made.append(Measure(name, "Of a test.", *args))
        return made[-1]

    yield one
    for measure in made:
        REGISTRY.unregister(measure._metric)
        del measures._known[measure.name]


@pytest.fixture
def keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is a worker that keeps what it counts."""
    monkeypatch.setattr(measures, "_kept", None)
    measures.keep()


def test_a_counter_and_a_histogram_count_at_once(declare: Declare) -> None:
    # Given one of each
    counter, histogram = declare("test_total", ["kind"]), declare("test_seconds", ["kind"], (1, 10))
    # When something happens
    counter.add(kind="a")
    counter.add(2.5, kind="a")
    histogram.add(5, kind="b")
    # Then this process shows it
    assert counted("test_total", kind="a") == 3.5
    assert counted("test_seconds_bucket", kind="b", le="1.0") == 0
    assert counted("test_seconds_bucket", kind="b", le="10.0") == 1
    assert counted("test_seconds_sum", kind="b") == 5


def test_a_worker_keeps_what_it_counts_until_its_supervisor_takes_it_in(declare: Declare, keeping: None) -> None:
    # Given a worker process that has counted something
    counter = declare("test_total", ["kind"])
    counter.add(kind="a")
    counter.add(kind="a")
    assert counted("test_total", kind="a") == 0
    # When it sends that, and its supervisor takes it in
    sent = json.loads(json.dumps(measures.kept(4000)))
    assert not measures.any_kept()
    assert measures.take_in(sent) == 0
    # Then the supervisor shows it
    assert counted("test_total", kind="a") == 2


def test_what_is_kept_is_sent_in_parts_that_fit(declare: Declare, keeping: None) -> None:
    # Given more than fits into one line
    counter = declare("test_total", ["kind"])
    for number in range(200):
        counter.add(kind=f"é{number}")
    # When it is sent line by line
    lines = []
    while measures.any_kept():
        lines.append(json.dumps(measures.kept(1000)))
    # Then each line is short, and nothing is missing
    assert all(len(line) <= 1002 for line in lines)
    assert sum(len(json.loads(line)) for line in lines) == 200
    # And one that never fits does not stay for ever
    counter.add(kind="x" * 2000)
    assert len(measures.kept(1000)) == 1


@pytest.mark.parametrize(
    "strange",
    [
        *(None, 7, "x", {}, [None], [[]], [["test_total"]], [["test_total", ["a"], "many"]], [["test_total", [], 1]]),
        *([["test_total", ["a", "b"], 1]], [["test_total", [1], 1]], [["test_total", ["a"], -1]]),
        *([["test_total", ["a"], float("nan")]], [["test_total", ["a"], float("inf")]], [["test_total", "a", 1]]),
        *([["of_a_later_release_total", ["a"], 1]], [[["test_total"], ["a"], 1]], [["test_total", ["a"], None]]),
    ],
)
def test_what_another_release_sends_harms_nothing(declare: Declare, strange: Any) -> None:
    # Given a supervisor that knows one counter
    declare("test_total", ["kind"]).add(kind="a")
    # When it is sent something that it does not know, before something that it does
    entries = strange if isinstance(strange, list) else [strange]
    strange_ones = measures.take_in(strange)
    measures.take_in([*entries, ["test_total", ["a"], 1]])
    # Then that is told, and the rest counts
    assert strange_ones == 1
    assert counted("test_total", kind="a") == 2


def test_no_metric_grows_without_bound(declare: Declare) -> None:
    # Given a label with values that never end
    counter = declare("test_total", ["kind"])
    # When they are counted
    for number in range(2000):
        counter.add(kind=str(number))
    # Then the later ones are counted together, and nothing is kept of their values
    series = [sample for metric in REGISTRY.collect() for sample in metric.samples if sample.name == "test_total"]
    assert len(series) == 501
    assert counted("test_total", kind="other") == 1500
    assert len(counter._series) == 500
    assert sum(sample.value for sample in series) == 2000


def test_a_label_can_be_added_before_anything_is_counted(declare: Declare) -> None:
    # Given a counter that leaves a label out unless it is told to keep it
    counter = declare("test_total", ["kind"])
    counter.add(kind="a", owner="ann")
    assert counted("test_total", kind="a") == 1
    # When it is told, even twice
    counter.label_also("owner")
    counter.label_also("owner")
    counter.add(kind="a", owner="ann")
    # Then it tells owners apart
    assert counted("test_total", kind="a", owner="ann") == 1


def test_an_expected_series_is_shown_at_zero(declare: Declare) -> None:
    # Given a counter
    counter = declare("test_total", ["kind"])
    # When one of its series is expected
    counter.expect(kind="a")
    # Then it is there, at 0
    assert REGISTRY.get_sample_value("test_total", {"kind": "a"}) == 0
