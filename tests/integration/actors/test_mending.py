"""Lines that are mended, with real models that are counted: only what was touched is translated and spoken anew."""

import io
import json
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from octavia.engines.recognition.whisper import Whisper
from octavia.engines.translation.ctranslate import CTranslate2Translator
from octavia.engines.voices.piper import Piper
from octavia.jobs.lifecycle import edits
from octavia.jobs.lifecycle.edits import Changes
from octavia.jobs.tables.records import JobRecord, NewJob
from octavia.jobs.tables.states import JobType
from octavia.settings import Settings
from octavia.text.utterances import Utterance
from tests.support.one_worker import OneWorker

SAMPLE = Path(__file__).parents[3] / "samples" / "sense_and_sensibility.flac"


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[OneWorker]:
    worker = OneWorker(Settings(data_dir=tmp_path))
    yield worker
    worker.db.close()


class Counted:
    """What the models were given since it was last asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.translated: list[str] = []
        self.spoken: list[str] = []
        self.heard = 0
        translate, speak, hear = CTranslate2Translator.translate, Piper.synthesize, Whisper.transcribe

        def counted_translate(engine: Any, sentences: Sequence[str], **options: Any) -> list[str]:
            self.translated += sentences
            return translate(engine, sentences, **options)

        def counted_speak(engine: Any, text: str, **options: Any) -> Any:
            self.spoken.append(text)
            return speak(engine, text, **options)

        def counted_hear(engine: Any, *args: Any, **options: Any) -> Any:
            self.heard += 1
            return hear(engine, *args, **options)

        monkeypatch.setattr(CTranslate2Translator, "translate", counted_translate)
        monkeypatch.setattr(Piper, "synthesize", counted_speak)
        monkeypatch.setattr(Whisper, "transcribe", counted_hear)

    def since(self) -> tuple[list[str], list[str], int]:
        said = self.translated, self.spoken, self.heard
        self.translated, self.spoken, self.heard = [], [], 0
        return said


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


def lines(worker: OneWorker, job: JobRecord, name: str) -> list[Utterance]:
    rows = json.loads(worker.result(job.id, name))["utterances"]
    return [Utterance.from_dict({"chunk": int(row["id"].split("-")[0]), **row}) for row in rows]


def mend(worker: OneWorker, job: JobRecord, name: str, changes: Changes) -> JobRecord:
    """Mend lines and have that carried out."""
    said = lines(worker, job, name)
    edits.edit_utterances(worker.db, job.id, "local", changes, said, of_revision=job.revision)
    return worker.work(job.id)


def test_one_line_of_a_hundred_costs_one_line(worker: OneWorker, counted: Counted) -> None:
    # Given a text of a hundred sentences, which was translated
    text = " ".join(f"The house number {number} is big." for number in range(100))
    job = worker.submit(NewJob(JobType.TRANSLATE, "en", "es"), text)
    assert len(counted.since()[0]) == 100
    before = lines(worker, job, "translation.json")
    assert len({line.chunk for line in before}) > 1
    chosen = before[42]
    # When the source of one is mended, then that one is translated, and nothing else
    job = mend(worker, job, "translation.json", {chosen.id: {"source": "The cat sleeps."}})
    assert counted.since() == (["The cat sleeps."], [], 0)
    after = lines(worker, job, "translation.json")
    assert [one.id for one in after] == [one.id for one in before]
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [(new.text, new.edited) for _, new in changed] == [("The cat sleeps.", ("source",))]
    assert "gato" in str(changed[0][1].translation).lower()
    # When its translation is mended, then no model is needed at all
    job = mend(worker, job, "translation.json", {chosen.id: {"translation": "Duerme."}})
    assert counted.since() == ([], [], 0)
    assert "Duerme." in worker.result(job.id, "translation.txt").decode()
    # When all is taken back, then the first revision's words are there again, and each revision is kept
    job = mend(worker, job, "translation.json", {chosen.id: {"translation": None, "source": None}})
    assert counted.since() == ([chosen.text], [], 0)
    assert job.revision == 4
    for revision, said in ((2, "gato"), (3, "duerme")):
        assert said in worker.result(job.id, "translation.txt", revision).decode().lower()
    assert worker.result(job.id, "translation.txt") == worker.result(job.id, "translation.txt", 1)


def test_a_line_is_spoken_anew_in_another_speech_or_not_at_all(worker: OneWorker, counted: Counted) -> None:
    # Given a text that was spoken
    new = NewJob(JobType.SYNTHESIZE, "en")
    job = worker.submit(new, "The train leaves at noon. She went out. The bridge is old.")
    assert len(counted.since()[1]) == 3
    long = length(worker.result(job.id, "dub.wav"))
    # When one line is mended, and another silenced
    job = mend(worker, job, "dub.json", {"0-1": {"source": "He went in."}, "0-2": {"source": ""}})
    # Then only the first is spoken, and the track is shorter by the second
    assert counted.since() == ([], ["He went in."], 0)
    assert length(worker.result(job.id, "dub.wav")) < long
    said = json.loads(worker.result(job.id, "dub.json"))["utterances"]
    assert [row["spoken"] for row in said] == ["The train leaves at noon.", "He went in.", ""]
    assert said[2]["spoken_start"] == said[2]["spoken_end"]
    # When a voice is named that the job has anyway, then nothing is: it is the same sound
    job = mend(worker, job, "dub.json", {"0-0": {"voice": "en_US-joe-medium"}})
    assert counted.since() == ([], [], 0)
    assert json.loads(worker.result(job.id, "dub.json"))["utterances"][0]["voice"] == "en_US-joe-medium"


def length(track: bytes) -> float:
    with wave.open(io.BytesIO(track)) as opened:
        return opened.getnframes() / opened.getframerate()


def test_a_recording_is_not_heard_again(worker: OneWorker, counted: Counted) -> None:
    # Given a recording that was written down
    job = worker.submit(NewJob(JobType.TRANSCRIBE, "en"), SAMPLE)
    assert counted.since()[2] == 1
    before = lines(worker, job, "transcript.json")
    second, third = before[1], before[2]
    # When one line's words and end are mended, and another is dropped
    changes: Changes = {
        second.id: {"source": "Somebody said something.", "end": round(second.end - 0.3, 3)},
        third.id: {"source": ""},
    }
    job = mend(worker, job, "transcript.json", changes)
    # Then nothing is heard again, and all files tell the new words and times, the subtitles without the dropped one
    assert counted.since() == ([], [], 0)
    after = lines(worker, job, "transcript.json")
    assert (after[1].text, after[1].end, after[1].words) == (
        "Somebody said something.",
        round(second.end - 0.3, 3),
        (),
    )
    assert after[0] == before[0]
    for name in ("transcript.srt", "transcript.txt"):
        said = " ".join(worker.result(job.id, name).decode().split())
        assert "Somebody said something." in said
        assert third.text[:20] not in said
    assert "\n\n\n" not in worker.result(job.id, "transcript.txt").decode()
