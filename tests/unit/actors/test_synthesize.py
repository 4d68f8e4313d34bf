"""What the synthesize actor keeps of what it has spoken."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import numpy as np
import pytest

from octavia.actors import LoadedModels
from octavia.actors.synthesize import synthesize
from octavia.engines.types import Audio
from octavia.settings import Settings
from octavia.storage import Storage, StoredObject
from octavia.text.utterances import Utterance
from octavia.work import Work
from tests.support.job import job

ROWS = [Utterance(f"0-{n}", 0, 0.0, 1.0, text, text, ()).to_dict() for n, text in enumerate(("One.", "Two."))]


def run(desk: "Desk") -> None:
    """Speak the first chunk; the desk is both the task in hand and the models."""
    synthesize(cast(Work, desk), cast(LoadedModels, desk))


class Desk:
    """As much of a task in hand as speaking one chunk uses; its voice is counted, and takes 0.1 s for a character."""

    claim = SimpleNamespace(ref=SimpleNamespace(chunk=0))

    def __init__(self, storage: Storage, rows: Sequence[dict[str, Any]] = ROWS) -> None:
        voice = {"id": "joe", "voice": "joe", "sha256": "0" * 64}
        self.job = job(id=UUID(int=1), models={"voice": voice})
        self.storage = storage
        self.settings = Settings()
        self.spoken: list[str] = []
        self.voices: list[str] = []
        self.kept: list[StoredObject] = []
        self.rows = list(rows)
        self.saved: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}

    def read_json(self, *_: object, **__: object) -> list[dict[str, Any]]:
        return self.rows

    def voice(self, _: object, pin: dict[str, str]) -> "Desk":
        self.voices.append(pin["voice"])
        return self

    def synthesize(self, text: str, *, speed: float) -> Audio:
        self.spoken.append(text)
        return Audio(np.full(1600 * len(text), 0.1, dtype=np.float32), 16_000)

    def reuse(self, name: str, stored: StoredObject, media_type: str) -> None:
        self.kept.append(stored)

    def checkpoint(self, fraction: float) -> None: ...

    def save(self, name: str, data: bytes, media_type: str) -> None:
        self.files[name] = data

    def save_json(self, name: str, value: list[dict[str, Any]]) -> None:
        self.saved = value


def test_an_utterance_that_is_gone_is_spoken_again(tmp_path: Path) -> None:
    # Given a chunk that was spoken by an attempt before
    storage = Storage(f"file://{tmp_path}")
    first = Desk(storage)
    run(first)
    assert first.spoken == ["One.", "Two."]
    # When the file of one of its utterances has vanished, and the chunk is spoken again
    (tmp_path / first.kept[0].key).unlink()
    again = Desk(storage)
    run(again)
    # Then that one is spoken, the other is taken as it is, and both are there, the same as before
    assert again.spoken == ["One."]
    assert [stored.key for stored in again.kept] == [stored.key for stored in first.kept]
    assert all(storage.exists(stored.key) for stored in again.kept)


@pytest.mark.parametrize(
    ("until", "spoken", "seconds"),
    [
        (1.0 + 2.0, ["The long one."], 1.3),  # there is room
        (1.0 + 0.8, ["The long one.", "Not short.", "Short."], 0.6),  # the first that is short enough
        (1.0 + 0.3, ["The long one.", "Not short.", "Short.", "Shorter"], 0.6),  # none is: the shortest
        (None, ["The long one."], 1.3),  # nobody knows how much there is
    ],
)
def test_synthesize_takes_a_shorter_wording_for_an_utterance_that_is_too_long(
    until: float | None, spoken: list[str], seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an utterance with a translation and shorter ones
    row = Utterance("0-0", 0, 1.0, 2.0, "Source.", "The long one.").to_dict()
    others = ["Not short.", "Short.", "Shorter"]
    desk = Desk(Storage(f"file://{tmp_path}"), [{**row, "until": until, "alternatives": others}])
    # When it is spoken
    run(desk)
    # Then no more of them are tried than need be, and what is kept is what was said
    assert desk.spoken == spoken
    (kept,) = desk.saved
    assert kept["seconds"] == pytest.approx(seconds)
    assert len(kept["translation"]) == pytest.approx(seconds * 10)
    assert len(desk.kept) == 1


def test_synthesize_counts_the_time_that_a_late_utterance_takes_from_the_next(tmp_path: Path) -> None:
    # Given an utterance that is too long for its time whatever is done, and one that alone would fit
    first = Utterance("0-0", 0, 0.0, 1.0, "Source.", "x" * 30).to_dict()
    second = Utterance("0-1", 0, 1.0, 2.0, "Source.", "x" * 11).to_dict()
    rows = [{**first, "until": 1.0}, {**second, "until": 2.2, "alternatives": ["x" * 5]}]
    desk = Desk(Storage(f"file://{tmp_path}"), rows)
    # When both are spoken, then the second is said in fewer words
    run(desk)
    assert [len(row["translation"]) for row in desk.saved] == [30, 5]


def test_each_speaker_has_a_voice(tmp_path: Path) -> None:
    # Given lines of three speakers, one of whom has no voice, and one of a line that somebody gave another voice
    said = [("One.", "Ann", None), ("Two.", "Bob", None), ("Three.", "Eve", None), ("Four.", "Ann", "eve")]
    rows = [
        Utterance(f"0-{n}", 0, 0.0, 1.0, text, speaker=speaker, voice=voice).to_dict()
        for n, (text, speaker, voice) in enumerate(said)
    ]
    desk = Desk(Storage(f"file://{tmp_path}"), rows)
    desk.job = replace(desk.job, options={"voices": {"Ann": "ann", "Bob": "bob"}})
    pins = {name: {"id": name, "voice": name, "sha256": "0" * 64} for name in ("joe", "ann", "bob", "eve")}
    desk.job = replace(desk.job, models={"voice": pins["joe"], "voices": pins})
    # When they are spoken, then each is by its speaker's, who has none by the job's, and that line by its own
    run(desk)
    assert desk.voices == ["ann", "bob", "joe", "eve"]


def test_synthesize_does_not_speak_music(tmp_path: Path) -> None:
    # Given music between what is said
    said = Utterance("0-0", 0, 0.0, 1.0, "One.").to_dict()
    music = Utterance("0-1", 0, 1.0, 2.0, "[Music]", speech=False).to_dict()
    desk = Desk(Storage(f"file://{tmp_path}"), [said, music])
    # When the chunk is spoken, then nothing is said for it
    run(desk)
    assert desk.spoken == ["One."]
    assert [row["seconds"] for row in desk.saved] == [pytest.approx(0.4), 0.0]
