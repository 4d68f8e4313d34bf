"""What the translate actor does without a translator."""

import io
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest

from octavia.actors import LoadedModels
from octavia.actors.translate import translate
from octavia.errors import InputError
from octavia.jobs.lifecycle.edits import EditedUtterance
from octavia.jobs.tables.states import JobType
from octavia.settings import Settings
from octavia.text.edits import Original, UtteranceEdit
from octavia.text.words import Segment, Word
from octavia.work import Work
from tests.support.job import job

CLAIM = SimpleNamespace(ref=SimpleNamespace(chunk=0))


def run(desk: object) -> None:
    """Translate the first chunk; the desk is both the task in hand and the models."""
    translate(cast(Work, desk), cast(LoadedModels, desk))


class Desk:
    """As much of a task in hand as a text job's translation uses."""

    claim = CLAIM

    def __init__(self, source: str, target: str | None, kind: str = "text") -> None:
        models = {"translation": [{"id": f"{source}-{target}"}]}
        self.job = job(
            JobType.TRANSLATE, kind, source_language=source, target_language=target, chunks_total=1, models=models
        )
        self.saved: list[dict[str, Any]] = []

    def read(self, *_: object, **__: object) -> io.BytesIO:
        return io.BytesIO(b"Good morning.")

    def edits(self, chunk: int) -> dict[str, UtteranceEdit]:
        return {}

    def save_json(self, name: str, value: list[dict[str, Any]]) -> None:
        self.saved = value


@pytest.mark.parametrize("target", [None, "en"])
def test_translate_leaves_a_text_that_stays_in_its_language(target: str | None) -> None:
    # Given a job that keeps the language, whether it names it or not, and has no translation model
    desk = Desk("en", target)
    # When its text is translated
    run(desk)
    # Then it is taken as it is
    assert [(row["text"], row["translation"]) for row in desk.saved] == [("Good morning.", None)]


class Cues(Desk):
    """As much of a task in hand as translating cues uses, and its translator, which shouts."""

    def __init__(self, *texts: str) -> None:
        super().__init__("en", "es", "subtitles")
        self._rows = [{"start": 0.0, "end": 1.0, "text": text} for text in texts]
        self.asked: list[str] = []

    def read_json(self, *_: object, **__: object) -> list[dict[str, Any]]:
        return self._rows

    def checkpoint(self, done: float) -> None: ...

    def translator(self, work: object) -> "Cues":
        return self

    def translate(self, texts: list[str]) -> list[str]:
        self.asked += texts
        return [text.upper() for text in texts]


def test_translate_keeps_the_lines_and_dashes_of_a_dialogue() -> None:
    # Given cues of two speakers, of one, of none, and one that nobody says
    desk = Cues("- Is it late?\n–No, it is on time.", "- Good-bye.", "Platform four.", "", "[music]")
    # When they are translated
    run(desk)
    # Then each line is translated by itself, without its dash, and has it again
    assert desk.asked == ["Is it late?", "No, it is on time.", "Good-bye.", "Platform four."]
    assert [row["translation"] for row in desk.saved] == [
        "- IS IT LATE?\n–NO, IT IS ON TIME.",
        "- GOOD-BYE.",
        "PLATFORM FOUR.",
        "",
        None,
    ]


class Recording:
    """As much of a task in hand as translating the only chunk of a recording uses, and its translator."""

    claim = CLAIM
    ANSWERS: Final = {"Go on.": "Siga.", "Please come in.": "Por favor, entren todos ustedes ahora mismo."}
    OTHERS: Final = ["Por favor, entren.", "Por favor, entren todos ustedes ahora mismo aquí dentro.", "Entren."]

    def __init__(self, type: JobType) -> None:
        self.job = job(type, chunks_total=1, duration=6.0, models={"translation": [{"id": "en-es"}]})
        self.settings = Settings()
        self.saved: list[dict[str, Any]] = []
        self.asked: list[str] = []

    def read_json(self, *_: object, **__: object) -> dict[str, Any]:
        words = [("Please", 0.5), (" come", 0.9), (" in.", 1.2), (" Go", 2.0), (" on.", 2.4)]
        row = {"start": 0.5, "end": 2.7, "text": "", "avg_logprob": 0.0, "no_speech_prob": 0.0}
        row["words"] = [{"start": at, "end": at + 0.3, "text": text, "probability": 1.0} for text, at in words]
        return {"segments": [row]}

    def edits(self, chunk: int) -> dict[str, UtteranceEdit]:
        return {}

    def save_json(self, name: str, value: list[dict[str, Any]]) -> None:
        self.saved = value

    def checkpoint(self, fraction: float) -> None: ...

    def translator(self, _: object) -> "Recording":
        return self

    def translate(self, texts: list[str]) -> list[str]:
        return [self.ANSWERS[text] for text in texts]

    def alternatives(self, texts: list[str], *, count: int) -> list[list[str]]:
        self.asked += texts
        return [self.OTHERS for _ in texts]


def test_translate_adds_shorter_wordings_where_speech_may_be_too_long() -> None:
    # Given a recording of two sentences, the first of which becomes long and has little time
    desk = Recording(JobType.DUB)
    # When it is translated to be dubbed
    run(desk)
    # Then each says when the next one starts, or the recording ends
    first, second = desk.saved
    assert (first["until"], second["until"]) == (2.0, 6.0)
    # And only the long one has others, and only those that are shorter
    assert desk.asked == ["Please come in."]
    assert first["alternatives"] == ["Por favor, entren.", "Entren."]
    assert "alternatives" not in second


def test_translate_adds_no_times_if_nothing_will_be_spoken() -> None:
    desk = Recording(JobType.TRANSLATE)
    run(desk)
    assert desk.asked == []
    assert all("until" not in row for row in desk.saved)


class HeardDesk(Desk):
    """The same for a recording of one chunk, with a translator that shouts."""

    def __init__(self, segments: list[Segment]) -> None:
        super().__init__("en", "es", "media")
        self.segments = segments
        self.asked: list[str] = []
        self.settings = Settings()

    def read_json(self, *_: object, **__: object) -> dict[str, Any]:
        return {"segments": [asdict(segment) for segment in self.segments]}

    def translator(self, _: object) -> "HeardDesk":
        return self

    def translate(self, sentences: list[str]) -> list[str]:
        self.asked += sentences
        return [sentence.upper() for sentence in sentences]

    def alternatives(self, sentences: list[str], *, count: int) -> list[list[str]]:
        return [[] for _ in sentences]

    def checkpoint(self, fraction: float) -> None: ...


def test_translate_leaves_music() -> None:
    # Given a recording with music between two sentences
    texts = ["Good morning.", "[Music]", "Good night."]
    segments = [
        Segment(start, start + 1.0, text, (Word(start, start + 1.0, f" {text}", 0.9),))
        for start, text in enumerate(texts)
    ]
    desk = HeardDesk(segments)
    # When it is translated
    run(desk)
    # Then the music is marked, and is as it was
    assert [(row["text"], row["translation"], row["speech"]) for row in desk.saved] == [
        ("Good morning.", "GOOD MORNING.", True),
        ("[Music]", None, False),
        ("Good night.", "GOOD NIGHT.", True),
    ]
    assert desk.asked == ["Good morning.", "Good night."]


def test_translate_refuses_edits_of_lines_that_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a line that was mended, and is not there any more
    desk = Desk("en", "en")
    mended = EditedUtterance(UtteranceEdit(translation="Hola."), Original("Good night.", 0.0, 0.0))
    monkeypatch.setattr(desk, "edits", lambda chunk: {"0-0": mended})
    # When its chunk is translated again, then it is not put on another line
    with pytest.raises(InputError) as refused:
        run(desk)
    assert refused.value.code == "model_changed"


def test_the_time_of_what_nobody_says_is_free() -> None:
    # Given speech, music, and speech again
    texts = ["Good morning.", "[Music]", "Good night."]
    desk = HeardDesk(
        [Segment(at, at + 1.0, text, (Word(at, at + 1.0, f" {text}", 0.9),)) for at, text in enumerate(texts)]
    )
    desk.job = replace(desk.job, type=JobType.DUB, duration=4.0)
    # When it is translated to be dubbed, then the first may be spoken until the last begins
    run(desk)
    assert [row["until"] for row in desk.saved] == [2.0, 2.0, 4.0]
