"""Real jobs through real actors, engines and workers, embedded; what comes out is listened to and read."""

import itertools
import json
import math
import wave
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import psutil
import pytest

from octavia.catalog import Catalog, Store
from octavia.engines import load
from octavia.engines.types import SPEECH_RATE, Samples
from octavia.jobs.tables import events
from octavia.jobs.tables.records import JobRecord, NewJob
from octavia.jobs.tables.states import JobStatus, JobType
from octavia.local import LocalService
from octavia.media.decode import decode
from octavia.media.encode import Encoder
from octavia.settings import Settings
from octavia.subtitles.streams import Stream
from octavia.subtitles.units import units_of
from octavia.text.transcripts import Transcript
from tests.support.subtitle_rules import Proof, check_demuxed, check_hard, read

SAMPLES = Path(__file__).parents[3] / "samples"
SAMPLE = SAMPLES / "sense_and_sensibility.flac"
REFERENCE = (SAMPLES / "sense_and_sensibility.txt").read_text()
TEN_SENTENCES = (
    "The train to the coast leaves at noon. She put the letter on the table and went out. "
    "We have never seen so much snow in April. Please close the window before you leave. "
    "The old bridge was built by soldiers. My brother plays the piano every evening. "
    "There is a small garden behind the house. They walked along the river until it was dark. "
    "Nobody knew the answer to that question. The children are playing in the street."
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """Two embedded workers for all tests whose settings are the usual ones."""
    with LocalService(settings(tmp_path_factory.mktemp("pipeline")), slots=2) as running:
        yield running


def settings(tmp_path: Path, **changes: Any) -> Settings:
    """Settings around a folder, with short chunks where a test asks for them."""
    return Settings(data_dir=tmp_path / "data", log_level="warning", **changes)


def run(service: LocalService, new: NewJob, data: Path | str, out: Path) -> JobRecord:
    """Run a job to its end and export what it made."""
    job = service.submit(new, data)
    ended = service.wait(job.id, lambda *_: None)
    assert ended.status is JobStatus.COMPLETED, ended.error
    service.export(job.id, out)
    return ended


def hear(path: Path) -> str:
    """What the recogniser hears in a file."""
    found = Catalog.load(Settings()).get("whisper-tiny.en")
    recogniser = load.recognizer(Store.of(Settings()).path(found), threads=1)
    samples = np.concatenate(list(decode(path)))
    return " ".join(segment.text for segment in recogniser.transcribe(samples, language="en"))


def word_error_rate(reference: str, heard: str) -> float:
    """WER over lower-case words without punctuation."""
    clean = jiwer.Compose(
        [jiwer.ToLowerCase(), jiwer.SubstituteRegexes({"-": " "}), jiwer.RemovePunctuation(), jiwer.Strip()]
    )
    return float(jiwer.wer(clean(reference), clean(" ".join(heard.split()))))


def check_subtitles(out: Path, name: str, *, translated: bool) -> None:
    """Check the files that a job made against the rules, and what it says of them."""
    value = json.loads((out / f"{name}.json").read_text())
    transcript = Transcript.from_json(json.dumps(value), translated=translated)
    units = units_of(transcript.utterances, translated=translated, language=transcript.language)
    proof = Proof(Stream.of(units))
    for format in ("srt", "vtt"):
        cues = read(format, (out / f"{name}.{format}").read_text())
        check_hard(cues, [transcript.text_of(utterance) for utterance in transcript.utterances])
        count = proof.count(cues)
        assert value["subtitles"] == {"cues": len(cues), **asdict(count)}
        assert count.weight == proof.fewest()
        check_demuxed(format, (out / f"{name}.{format}").read_text(), out)


def decibels(samples: Samples) -> float:
    """RMS level below full scale."""
    return 10 * math.log10(float(np.mean(np.square(samples))) + 1e-12)


@pytest.mark.long  # ten sentences spoken and heard again; the engines' own tests do the same without a pipeline
def test_synthesized_speech_can_be_understood(service: LocalService, tmp_path: Path) -> None:
    # Given ten English sentences
    # When they are spoken by the English voice
    new = NewJob(JobType.SYNTHESIZE, source_language="en", options={"formats": ["wav", "mp3", "opus", "flac", "m4a"]})
    run(service, new, TEN_SENTENCES, tmp_path / "out")

    # Then a recogniser hears what was written, in every format
    assert word_error_rate(TEN_SENTENCES, hear(tmp_path / "out" / "dub.wav")) <= 0.10
    for format in ("mp3", "opus", "flac", "m4a"):
        assert word_error_rate(TEN_SENTENCES, hear(tmp_path / "out" / f"dub.{format}")) <= 0.15


def test_a_spanish_dub_speaks_where_the_original_does(service: LocalService, tmp_path: Path) -> None:
    # Given an English recording
    # When it is dubbed into Spanish
    new = NewJob(JobType.DUB, target_language="es")
    job = run(service, new, SAMPLE, tmp_path / "out")

    # Then the transcript is the reference's, but for what a tiny model mishears
    transcript = (tmp_path / "out" / "transcript.txt").read_text()
    assert word_error_rate(REFERENCE, transcript) <= 0.20

    # And says of every word and segment when it is heard, and how surely
    heard = json.loads((tmp_path / "out" / "transcript.json").read_text())
    assert (heard["language"], heard["duration"]) == ("en", round(job.duration or 0.0, 3))
    assert " ".join(segment["text"] for segment in heard["segments"]).split()[:5] == heard["text"].split()[:5]
    assert all(0 < segment["confidence"] <= 1 for segment in heard["segments"])
    words = [word for utterance in heard["utterances"] for word in utterance["words"]]
    assert all(0 <= word["start"] <= word["end"] <= heard["duration"] + 0.1 for word in words)
    assert all(0 < word["probability"] <= 1 for word in words)
    translated = json.loads((tmp_path / "out" / "translation.json").read_text())
    assert (translated["language"], translated["duration"]) == ("es", heard["duration"])

    # And both have subtitles that keep every hard rule, and as many of the soft ones as any could
    check_subtitles(tmp_path / "out", "transcript", translated=False)
    check_subtitles(tmp_path / "out", "translation", translated=True)

    # And who watched has read it while it was recognised, piece by piece
    told = [event for event in events.since(service.database, job.id, 0, 1000) if event.type == "segment"]
    segments = sorted((event.data for event in told), key=lambda segment: segment["start"])
    heard = json.loads((tmp_path / "out" / "transcript.json").read_text())["segments"]
    assert [segment["text"] for segment in segments] == [segment["text"] for segment in heard]
    starts = [segment["start"] for segment in heard]
    assert [segment["start"] for segment in segments] == pytest.approx(starts, abs=0.01)
    assert (segments[0]["chunk"], segments[0]["index"]) == (0, 0)

    # And each utterance is audible in its slot, loud enough and without clipping
    dub = json.loads((tmp_path / "out" / "dub.json").read_text())
    with wave.open(str(tmp_path / "out" / "dub.wav")) as track:
        rate = track.getframerate()
        samples = np.frombuffer(track.readframes(track.getnframes()), "<i2").astype(np.float32) / 32768
    assert len(samples) / rate == pytest.approx(dub["duration"], abs=0.001)
    assert dub["duration"] == pytest.approx(job.duration, abs=0.1)
    assert len(dub["utterances"]) >= 4
    for before, after in zip(dub["utterances"], dub["utterances"][1:], strict=False):
        assert before["spoken_end"] <= after["spoken_start"]
    for utterance in dub["utterances"]:
        assert utterance["start"] - 0.001 <= utterance["spoken_start"] <= utterance["start"] + 0.1
        assert 0.85 <= utterance["rate"] <= 1.5
        assert utterance["spoken"] != utterance["text"]
        spoken = samples[int(utterance["spoken_start"] * rate) : int(utterance["spoken_end"] * rate)]
        assert -35 < decibels(spoken) < -8
        frames = spoken[: len(spoken) // 480 * 480].reshape(-1, 480)
        active = np.mean([decibels(frame) > -45 for frame in frames])
        assert active > 0.5
    assert np.max(np.abs(samples)) < 0.999

    # And keeps to the speaker's time: silence before each but the first, then sound at once
    for utterance in dub["utterances"][1:]:
        start = int(utterance["start"] * rate)
        assert decibels(samples[start - rate // 20 : start]) < -60
        assert decibels(samples[start : start + rate // 10]) > -45
    assert dub["timing"] == job.dub
    assert (dub["timing"]["on_time"], dub["timing"]["fitted"]) == (1.0, 1.0)


def test_sentences_survive_cuts_in_their_middle(tmp_path: Path) -> None:
    # Given chunks so short that sentences are cut
    with LocalService(settings(tmp_path, chunk_seconds=5.0), slots=2) as service:
        # When the recording is transcribed and translated
        job = run(service, NewJob(JobType.TRANSLATE, "en", "es"), SAMPLE, tmp_path / "out")

    # Then there were several chunks, and an utterance reaches over a cut
    assert job.chunks_total is not None
    assert job.chunks_total >= 5
    rows = json.loads((tmp_path / "out" / "transcript.json").read_text())["utterances"]
    assert any(row["end"] - row["start"] > 5.0 for row in rows)

    # And no word is lost or doubled, in order
    words = [word for row in rows for word in row["words"]]
    assert all(one["start"] <= other["start"] for one, other in itertools.pairwise(words))
    assert word_error_rate(REFERENCE, " ".join(row["text"] for row in rows)) <= 0.35


def test_silence_completes_and_says_so(service: LocalService, tmp_path: Path) -> None:
    # Given ten seconds of silence
    silence = tmp_path / "silence.wav"
    with Encoder(silence, "wav", SPEECH_RATE) as encoder:
        encoder.write(np.zeros(10 * SPEECH_RATE, np.float32))

    # When it is dubbed
    job = run(service, NewJob(JobType.DUB, "en", "es"), silence, tmp_path / "out")

    # Then the transcript is empty, the track is silent and as long, and a warning says why
    assert (tmp_path / "out" / "transcript.txt").read_text() == ""
    assert (tmp_path / "out" / "translation.srt").read_text() == ""
    assert [warning["code"] for warning in job.warnings] == ["no_speech"]
    with wave.open(str(tmp_path / "out" / "dub.wav")) as track:
        assert track.getnframes() / track.getframerate() == pytest.approx(10, abs=0.05)
        assert not any(track.readframes(track.getnframes()))


@pytest.mark.parametrize(("chunk_seconds", "processes"), [(29.0, 1), (5.0, 2)])
def test_there_are_no_more_processes_than_chunks(tmp_path: Path, chunk_seconds: float, processes: int) -> None:
    # Given a command that may start three processes, and a recording of one chunk or of several
    at_once: list[int] = []
    before = psutil.Process().children()

    def count(*_: object) -> None:
        commands = [
            child.cmdline() for child in psutil.Process().children() if child.is_running() and child not in before
        ]
        at_once.append(sum("octavia.worker.child" in command for command in commands))

    with LocalService(settings(tmp_path, chunk_seconds=chunk_seconds), slots=min(3, processes + 1)) as service:
        # When it is transcribed
        job = service.submit(NewJob(JobType.TRANSCRIBE, "en"), SAMPLE)
        assert service.wait(job.id, count).status is JobStatus.COMPLETED
    # Then it begins with one process, and others come only as tasks wait for them
    assert at_once[0] == 1
    assert max(at_once) >= processes
    assert max(at_once) == 1 or chunk_seconds < 29


def test_a_text_keeps_its_layout_in_translation(service: LocalService, tmp_path: Path) -> None:
    # Given a text of two paragraphs
    text = "The house is big. The dog is small.\n\nI have a book."

    # When it is translated
    run(service, NewJob(JobType.TRANSLATE, "en", "es"), text, tmp_path / "out")

    # Then so is its translation, in Spanish; there are no times, so there are no subtitles
    paragraphs = (tmp_path / "out" / "translation.txt").read_text().strip().split("\n\n")
    assert len(paragraphs) == 2
    assert "casa" in paragraphs[0]
    assert "libro" in paragraphs[1]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"translation.txt", "translation.json"}


@pytest.mark.parametrize(
    ("new", "name", "content", "code"),
    [
        (NewJob(JobType.DUB, "en", "es"), "notes.txt", b"these are no sounds", "not_media"),
        (NewJob(JobType.DUB, "en", "es"), "list.m3u8", b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n", "not_media"),
        (NewJob(JobType.DUB, "auto", "en"), SAMPLE.name, SAMPLE.read_bytes(), "same_language"),
        (NewJob(JobType.DUB, "en", "xh"), SAMPLE.name, SAMPLE.read_bytes(), "unsupported_pair"),
        (NewJob(JobType.DUB, "en", "es", {"voice": "nobody"}), SAMPLE.name, SAMPLE.read_bytes(), "voice_unavailable"),
    ],
)
def test_bad_input_fails_once_with_a_remedy(
    service: LocalService, tmp_path: Path, new: NewJob, name: str, content: bytes, code: str
) -> None:
    # Given input that cannot work
    media = tmp_path / name
    media.write_bytes(content)

    # When it is submitted, then it fails
    fails(service, new, media, code)


def test_a_recording_past_the_limit_fails_once_with_a_remedy(tmp_path: Path) -> None:
    # Given a service that takes recordings of five seconds
    with LocalService(settings(tmp_path, max_media_seconds=5.0), slots=1) as service:
        # When a longer one is submitted, then it fails
        fails(service, NewJob(JobType.TRANSCRIBE, "en"), SAMPLE, "media_too_long")


def fails(service: LocalService, new: NewJob, media: Path, code: str) -> None:
    """See that a job fails at once with a code, says how to mend it, and leaves no half of a file."""
    job = service.submit(new, media)
    ended = service.wait(job.id, lambda *_: None)
    assert ended.status is JobStatus.FAILED
    assert ended.error is not None
    assert ended.error.code == code
    assert ended.error.hint
    assert list(service.storage.keys(f"jobs/{job.id}"))
    assert not [key for key, _ in service.storage.keys("") if key.endswith(".part")]
