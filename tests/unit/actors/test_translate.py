"""What the translate actor does without a translator."""

import io
from dataclasses import asdict
from importlib import import_module
from types import SimpleNamespace
from typing import Any, cast

import pytest

from octavia import work as current_work
from octavia.actors.translate import translate
from octavia.engines.types import Segment, Word
from octavia.jobs.records import JobRecord
from octavia.work import Work

# The package names the actor like its module.
module = import_module("octavia.actors.translate")


class Desk:
    """As much of a task in hand as a text job's translation uses."""

    def __init__(self, source: str, target: str | None) -> None:
        record = SimpleNamespace(source_language=source, target_language=target, input={"kind": "text"}, models={})
        record.result_language = JobRecord.result_language.__get__(record)
        self.job = record
        self.saved: list[dict[str, Any]] = []

    def read(self, *_: object, **__: object) -> io.BytesIO:
        return io.BytesIO(b"Good morning.")

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


class HeardDesk(Desk):
    """The same for a recording of one chunk, with a translator that shouts."""

    def __init__(self, segments: list[Segment]) -> None:
        super().__init__("en", "es")
        self.job.input = {"kind": "media"}
        self.job.chunks_total = 1
        self.segments = segments
        self.asked: list[str] = []

    def read_json(self, *_: object, **__: object) -> dict[str, Any]:
        return {"segments": [asdict(segment) for segment in self.segments]}

    def translator(self, _: object) -> "HeardDesk":
        return self

    def translate(self, sentences: list[str]) -> list[str]:
        self.asked += sentences
        return [sentence.upper() for sentence in sentences]

    def checkpoint(self, fraction: float) -> None: ...


def test_what_nobody_says_is_not_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a recording with music between two sentences
    texts = ["Good morning.", "[Music]", "Good night."]
    segments = [
        Segment(start, start + 1.0, text, (Word(start, start + 1.0, f" {text}", 0.9),))
        for start, text in enumerate(texts)
    ]
    desk = HeardDesk(segments)
    monkeypatch.setattr(module, "loaded", lambda: desk)
    current_work.set_current(cast(Work, desk))
    # When it is translated
    translate("", run=1, chunk=0, format=1)
    # Then the music is marked, and is as it was
    assert [(row["text"], row["translation"], row["speech"]) for row in desk.saved] == [
        ("Good morning.", "GOOD MORNING.", True),
        ("[Music]", None, False),
        ("Good night.", "GOOD NIGHT.", True),
    ]
    assert desk.asked == ["Good morning.", "Good night."]
