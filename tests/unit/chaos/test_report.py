"""The report of a run, and the page it goes into."""

from datetime import date

import pytest

from chaos import report
from chaos.report import ALONE, STORM, Outcome
from chaos.storm import Blow


def blow(kind: str, healed: float | None, error: str = "") -> Blow:
    struck = Blow(kind, 12.3, "worker-1", 0.5, healed, error)
    struck.over.set()
    return struck


def outcome(misses: list[str] | None = None) -> Outcome:
    return Outcome(
        day=date(2026, 3, 1),
        command="make chaos CHAOS_SEED=7",
        seed=7,
        seconds=240.0,
        titles={"kill": "worker killed", "cut": "database cut"},
        blows=[blow("kill", 1.0), blow("kill", 2.0), blow("kill", 9.0)],
        jobs=100,
        completed=100,
        files=420,
        counts={"tasks": 300},
        misses=misses or [],
    )


def test_a_row_tells_how_often_a_kind_struck_and_how_soon_it_healed() -> None:
    assert report.rows(outcome()) == [("worker killed", 3, "2.0", "9.0"), ("database cut", 0, "–", "–")]


def test_misses_are_told() -> None:
    assert "Nothing is missing" in report.text(outcome())
    told = report.text(outcome(["job 3 failed"]))
    assert "MISS: job 3 failed" in told
    assert "Nothing is missing" not in told


@pytest.mark.parametrize(
    ("struck", "said"),
    [
        (blow("kill", 1.25), "healed after 1.2 s"),
        (blow("kill", None), "NOT HEALED"),
        (blow("kill", None, "TimeoutError: no"), "FAILED: TimeoutError: no"),
    ],
)
def test_a_blow_is_told_with_its_end(struck: Blow, said: str) -> None:
    assert said in report.line(struck, "worker killed")


@pytest.mark.parametrize(("marks", "alone"), [(STORM, False), (ALONE, True)])
def test_the_page_gets_the_new_result_in_place_of_the_old(marks: tuple[str, str], alone: bool) -> None:
    # Given a page with an old result
    begin, end = marks
    page = f"before\n{begin}\nold\n{end}\nafter\n"
    # When a run is written into it
    written = report.page(page, outcome(), alone=alone)
    # Then only that has changed
    assert written.startswith(f"before\n{begin}\n| Fault |")
    assert "old" not in written
    assert "2026-03-01, `make chaos CHAOS_SEED=7`: 100 of 100 jobs" in written
    assert written.endswith(f"{end}\nafter\n")


@pytest.mark.parametrize("alone", [False, True])
def test_the_page_of_the_project_has_a_place_for_it(alone: bool) -> None:
    assert "`make chaos CHAOS_SEED=7`" in report.page(report.PAGE.read_text(), outcome(), alone=alone)


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks the lines"):
        report.page("nothing here", outcome())
