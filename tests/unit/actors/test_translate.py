"""What the translate actor does without a translator."""

import io
from types import SimpleNamespace
from typing import Any, cast

import pytest

from octavia import work as current_work
from octavia.actors.translate import translate
from octavia.edits import Edit
from octavia.jobs.records import JobRecord
from octavia.work import Work


class Desk:
    """As much of a task in hand as a text job's translation uses."""

    def __init__(self, source: str, target: str | None) -> None:
        record = SimpleNamespace(source_language=source, target_language=target, input={"kind": "text"}, models={})
        record.result_language = JobRecord.result_language.__get__(record)
        self.job = record
        self.saved: list[dict[str, Any]] = []

    def read(self, *_: object, **__: object) -> io.BytesIO:
        return io.BytesIO(b"Good morning.")

    def edits(self, chunk: int) -> dict[str, Edit]:
        return {}

    def save_json(self, name: str, value: list[dict[str, Any]]) -> None:
        self.saved = value


@pytest.mark.parametrize("target", [None, "en"])
def test_what_stays_in_its_language_is_not_translated(target: str | None) -> None:
    # Given a job that keeps the language, whether it names it or not, and has no translation model
    desk = Desk("en", target)
    current_work.set_current(cast(Work, desk))
    # When its text is translated
    translate("", run=1, chunk=0, format=1)
    # Then it is taken as it is
    assert [(row["text"], row["translation"]) for row in desk.saved] == [("Good morning.", None)]
