"""Subtitles that people bring along, through real models: translated cue by cue, and spoken at their times."""

import io
import json
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pysubs2
import pytest

from octavia.engines.voices.kokoro import Kokoro
from octavia.errors import InputError
from octavia.jobs.lifecycle import edits
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.states import JobType
from octavia.settings import Settings
from octavia.text.utterances import Utterance
from tests.support.given_cues import FIXTURES
from tests.support.one_worker import OneWorker

LONG = "The children play in the garden of the house, and their mother reads a book under the old tree. "
SRT = "".join(
    f"{number}\n00:00:{second:02},250 --> 00:00:{second + 1:02},750\n{text}\n\n"
    for number, (second, text) in enumerate(
        [(1, "<i>The house</i> is big."), (4, ""), (5, LONG * 2), (5, "{\\an8}The dog is small."), (9, "The end.")], 1
    )
)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[OneWorker]:
    worker = OneWorker(Settings(data_dir=tmp_path))
    yield worker
    worker.db.close()


def times(subtitles: pysubs2.SSAFile) -> list[tuple[int, int]]:
    return [(cue.start, cue.end) for cue in subtitles]


def test_a_translation_keeps_its_cues(worker: OneWorker) -> None:
    # Given subtitles with markup, a cue without words, one that is too long for its time, and two at the same time
    given = pysubs2.SSAFile.from_string(SRT, format_="srt")
    # When they are translated
    job = worker.submit(NewJob(JobType.TRANSLATE, "en", "es"), SRT, subtitles="srt")
    # Then there are as many cues, at the same times, in Spanish, and nothing of the markup
    for format in ("srt", "vtt"):
        made = pysubs2.SSAFile.from_string(worker.result(job.id, f"translation.{format}").decode(), format_=format)
        assert times(made) == times(given)
        assert "casa" in made[0].plaintext
        assert "perro" in made[3].plaintext
        assert made[1].plaintext == ""
        assert not any(mark in cue.text for cue in made for mark in ("an8", "i1", "<"))
    assert job.duration == 10.75
    # When one is mended, then the others are still what they were
    rows = json.loads(worker.result(job.id, "translation.json"))["utterances"]
    said = [Utterance.from_dict(row) for row in rows]
    changes = {said[0].id: {"translation": "Mi casa.", "end": 3.0}}
    edits.edit_utterances(worker.db, job.id, "local", changes, said, of_revision=1)
    worker.work(job.id)
    again = pysubs2.SSAFile.from_string(worker.result(job.id, "translation.srt").decode(), format_="srt")
    assert (again[0].plaintext, again[0].end) == ("Mi casa.", 3000)
    assert [cue.text for cue in again][1:] == [
        cue.text for cue in pysubs2.SSAFile.from_string(worker.result(job.id, "translation.srt", 1).decode())
    ][1:]


def test_cues_are_spoken_at_their_times(worker: OneWorker) -> None:
    # Given three cues far apart, one of them without words, the last one ending in silence
    srt = SRT[: SRT.index("3\n")] + "3\n00:00:05,000 --> 00:00:09,500\nThe end.\n"
    # When they are spoken
    job = worker.submit(NewJob(JobType.SYNTHESIZE, "en"), srt, subtitles="srt")
    # Then the track is as long as the last cue lasts, with speech where a cue begins and silence between
    with wave.open(io.BytesIO(worker.result(job.id, "dub.wav"))) as track:
        rate = track.getframerate()
        samples = np.frombuffer(track.readframes(track.getnframes()), "<i2").astype(np.float32) / 32768
    assert len(samples) / rate == pytest.approx(9.5, abs=0.01)
    loud = [float(np.abs(samples[int(at * rate) : int((at + 0.5) * rate)]).max(initial=0)) for at in range(10)]
    assert [level > 0.05 for level in loud] == [False, True, True, False, False, True, False, False, False, False]


@pytest.mark.parametrize("type", [JobType.DUB, JobType.TRANSLATE])
def test_subtitles_that_cannot_be_read_are_refused(worker: OneWorker, type: JobType) -> None:
    with pytest.raises(InputError) as refused:
        worker.submit(NewJob(type, "en", "es"), "1\n00:00:01,000 --> 00:00:0x\nHi.\n", subtitles="srt")
    assert refused.value.code == "bad_subtitles"


def test_subtitles_are_no_recording_wherever_they_come_from(worker: OneWorker, tmp_path: Path) -> None:
    # Given subtitles under another name, as an address may have them
    path = tmp_path / "talk.wav"
    path.write_text(SRT)
    with pytest.raises(InputError, match="subtitles") as refused:
        worker.submit(NewJob(JobType.TRANSCRIBE, "en"), path)
    assert refused.value.code == "wrong_input"


def test_what_is_not_kept_is_told_and_a_dialogue_keeps_its_lines(worker: OneWorker) -> None:
    # Given a dialogue, and a cue with a position and italics
    srt = (FIXTURES / "dialogue.srt").read_text()
    # When it is translated
    job = worker.submit(NewJob(JobType.TRANSLATE, "en", "es"), srt, subtitles="srt")
    # Then both speakers have a line, and a warning says what is dropped
    first = pysubs2.SSAFile.from_string(worker.result(job.id, "translation.srt").decode(), format_="srt")[0]
    assert [line[:2] for line in first.plaintext.split("\n")] == ["- ", "- "]
    assert [warning["code"] for warning in job.warnings] == ["styles_dropped"]


def test_subtitles_are_dubbed(worker: OneWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given our own transcript of something that was said
    spoken: list[str] = []
    speak = Kokoro.synthesize

    def heard(engine: Kokoro, text: str, *, speed: float = 1.0) -> object:
        spoken.append(text)
        return speak(engine, text, speed=speed)

    monkeypatch.setattr(Kokoro, "synthesize", heard)
    transcript = {
        "language": "en",
        "duration": 4.0,
        "utterances": [{"start": 1.5, "end": 3.0, "text": "Good morning."}],
    }
    # When it is dubbed
    job = worker.submit(NewJob(JobType.DUB, "en", "es"), json.dumps(transcript), subtitles="json")
    # Then its translation is spoken where it was
    (said,) = json.loads(worker.result(job.id, "dub.json"))["utterances"]
    assert (said["start"], said["spoken_start"], [said["spoken"]]) == (1.5, 1.5, spoken)
    assert said["spoken"] != said["text"]
