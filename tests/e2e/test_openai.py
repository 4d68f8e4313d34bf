"""OpenAI's own client, unchanged, against `octavia serve` with keys and real models."""

import asyncio
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import jiwer
import numpy as np
import openai
import pysubs2
import pytest
from openai import AsyncOpenAI, OpenAI

from octavia.media.encode import read_audio
from tests.e2e.service import SAMPLE, Service, clip, service

SAID = "and mr john dashwood had then leisure to consider how much there might be prudently in his power to do for them"
TEXT = "The train to London leaves in ten minutes."
SPEECH_FORMATS = {"mp3": "mp3", "opus": "ogg", "aac": "aac", "flac": "flac", "wav": "wav"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("openai"), OCTAVIA_AUTH="keys") as running:
        running.start_api()
        made = subprocess.run(
            [sys.executable, "-m", "octavia", "keys", "create", "tests", "--json"],
            env=os.environ | running.environment,
            capture_output=True,
            check=True,
        )
        running.client.headers["authorization"] = f"Bearer {json.loads(made.stdout)['key']}"
        yield running


@pytest.fixture(scope="module")
def key(running: Service) -> str:
    return running.client.headers["authorization"].removeprefix("Bearer ")


@pytest.fixture
def client(running: Service, key: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"http://127.0.0.1:{running.port}/v1", api_key=key, max_retries=0) as client:
        yield client


@pytest.fixture
def asynchronous(running: Service, key: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"http://127.0.0.1:{running.port}/v1", api_key=key, max_retries=0)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip(tmp_path_factory.mktemp("clip"), 7.5)


def word_errors(heard: str) -> float:
    clean = "".join(letter for letter in heard.lower() if letter.isalpha() or letter.isspace())
    return float(jiwer.wer(SAID, " ".join(clean.split())))


def newest_job(running: Service) -> dict[str, Any]:
    """The job that was submitted last; empty as long as there is none."""
    found: list[dict[str, Any]] = running.client.get("/api/v1/jobs?limit=1").raise_for_status().json()["jobs"]
    return found[0] if found else {}


def until_canceled(running: Service, before: dict[str, Any]) -> None:
    """Wait until a job newer than the one ``before`` is canceled."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        job = newest_job(running)
        if job.get("id") != before.get("id"):
            assert job["status"] != "completed"
            if job["status"] == "canceled":
                return
        time.sleep(0.1)
    raise AssertionError(f"{newest_job(running)}\n{running.logs()}")


def test_a_recording_is_transcribed(running: Service, client: OpenAI, recording: Path) -> None:
    # When the client asks as its documentation says
    heard = client.audio.transcriptions.create(model="whisper-1", file=recording, language="en", prompt="Dashwood")
    # Then it gets the text and what was worked on
    assert word_errors(heard.text) <= 0.1
    assert heard.usage.type == "duration"
    assert heard.usage.seconds == 8
    # And the job is one like others
    job = newest_job(running)
    assert (job["type"], job["status"], job["source_language"]) == ("transcribe", "completed", "en")
    assert "Dashwood" in job["options"].values()


def test_words_and_segments_have_their_times(client: OpenAI, recording: Path) -> None:
    heard = client.audio.transcriptions.create(
        model="whisper-tiny.en",
        file=recording,
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        temperature=0.2,
    )
    assert (heard.language, heard.duration) == ("english", pytest.approx(7.5, abs=0.05))
    assert word_errors(heard.text) <= 0.1
    assert word_errors(" ".join(word.word for word in heard.words)) <= 0.1
    assert all(before.end <= after.start + 0.01 for before, after in zip(heard.words, heard.words[1:], strict=False))
    assert word_errors("".join(segment.text for segment in heard.segments)) <= 0.1
    assert all(0 <= segment.start < segment.end <= 7.6 for segment in heard.segments)
    assert all(-1 < segment.avg_logprob < 0 and segment.compression_ratio < 2.4 for segment in heard.segments)


def test_other_formats_come_as_text(asynchronous: AsyncOpenAI, recording: Path) -> None:
    async def ask() -> list[str]:
        async with asynchronous as client:
            calls = [
                client.audio.transcriptions.create(model="gpt-4o-transcribe", file=recording, response_format=format)
                for format in ("text", "srt", "vtt")
            ]
            return list(await asyncio.gather(*calls))

    text, srt, vtt = asyncio.run(ask())
    assert word_errors(text) <= 0.1
    for subtitles, format in ((srt, "srt"), (vtt, "vtt")):
        shown = pysubs2.SSAFile.from_string(subtitles, format_=format)
        assert len(shown) >= 2
        assert word_errors(" ".join(event.plaintext for event in shown)) <= 0.1


def test_a_transcript_is_streamed_while_it_is_recognised(client: OpenAI) -> None:
    # When the whole sample, of several chunks, is streamed
    stream = client.audio.transcriptions.create(
        model="gpt-4o-mini-transcribe",
        file=SAMPLE,
        stream=True,
        include=["logprobs"],
        chunking_strategy={"type": "server_vad", "threshold": 0.5},
    )
    events = [(event, time.monotonic()) for event in stream]
    # Then its segments come in order, the first well before the last, and the whole text in the end
    assert [event.type for event, _ in events] == ["transcript.text.delta"] * (len(events) - 1) + [
        "transcript.text.done"
    ]
    told = "".join(event.delta for event, _ in events[:-1])
    assert jiwer.wer(events[-1][0].text, told) <= 0.05
    assert len(events) > 4


@pytest.mark.parametrize("format", ["json", "verbose_json", "srt"])
def test_english_is_translated_as_it_is(running: Service, client: OpenAI, recording: Path, format: Any) -> None:
    with pytest.warns(DeprecationWarning, match="deprecated"):
        given = client.audio.translations.create(model="whisper-1", file=recording, response_format=format)
    if format == "verbose_json":
        assert (given.language, given.duration) == ("english", pytest.approx(7.5, abs=0.05))
        assert word_errors("".join(segment.text for segment in given.segments)) <= 0.1
    elif format == "srt":
        assert pysubs2.SSAFile.from_string(given, format_="srt")[0].start == 0
    else:
        assert word_errors(given.text) <= 0.1
    assert newest_job(running)["type"] == "translate"


def test_a_text_is_spoken_in_every_format(running: Service, asynchronous: AsyncOpenAI) -> None:
    async def ask() -> dict[str, tuple[bytes, str]]:
        async def speak(format: Any) -> tuple[str, tuple[bytes, str]]:
            spoken = await asynchronous.audio.speech.create(
                model="tts-1", voice="alloy", input=TEXT, response_format=format, instructions="Be kind."
            )
            return format, (spoken.content, spoken.response.headers["content-type"])

        async with asynchronous:
            return dict(await asyncio.gather(*map(speak, [*SPEECH_FORMATS, "pcm"])))

    spoken = asyncio.run(ask())
    # Then each is what it says, and as long as the bare samples
    assert spoken["pcm"][1] == "audio/pcm"
    seconds = len(np.frombuffer(spoken["pcm"][0], "<i2")) / 24_000
    assert 1.5 < seconds < 5
    for format, container in SPEECH_FORMATS.items():
        data, media_type = spoken[format]
        assert media_type.startswith("audio/")
        with av.open(io.BytesIO(data)) as file:
            assert container in file.format.name
        samples, rate = read_audio(io.BytesIO(data))
        assert len(samples) / rate == pytest.approx(seconds, abs=0.15)
        assert np.abs(samples).max() > 0.05
    assert newest_job(running)["type"] == "synthesize"


def test_speech_is_as_fast_as_is_asked_for(client: OpenAI) -> None:
    def seconds(speed: float) -> float:
        with client.audio.speech.with_streaming_response.create(
            model="en_US-joe-medium", voice="en_US-joe-medium", input=TEXT, response_format="pcm", speed=speed
        ) as answer:
            return sum(map(len, answer.iter_bytes())) / 48_000

    natural = seconds(1.0)
    assert natural / seconds(4.0) == pytest.approx(4.0, rel=0.1)
    assert natural / seconds(0.25) == pytest.approx(0.25, rel=0.1)


def test_models_are_listed(client: OpenAI) -> None:
    ids = [model.id for model in client.models.list()]
    assert {"whisper-1", "tts-1", "whisper-tiny.en", "en_US-joe-medium"} <= set(ids)
    assert "en-es" not in ids
    assert client.models.retrieve("whisper-tiny.en").owned_by == "octavia"


def speech(client: OpenAI, **changes: Any) -> Any:
    return client.audio.speech.create(**{"model": "tts-1", "voice": "alloy", "input": TEXT, **changes})


@pytest.mark.parametrize(
    ("call", "error", "code", "param"),
    [
        (lambda client: client.models.retrieve("gpt-5"), openai.NotFoundError, "model_not_found", "model"),
        (lambda client: speech(client, model="whisper-1"), openai.NotFoundError, "model_not_found", "model"),
        (lambda client: speech(client, voice="nobody"), openai.BadRequestError, "voice_unavailable", "voice"),
        (lambda client: speech(client, input=" "), openai.BadRequestError, "text_empty", "input"),
        (lambda client: speech(client, speed=5), openai.BadRequestError, "invalid_field", "speed"),
        (
            lambda client: client.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"no sound")),
            openai.BadRequestError,
            "not_media",
            None,
        ),
        (
            lambda client: client.audio.transcriptions.create(model="tts-1", file=("a.wav", b"no sound")),
            openai.NotFoundError,
            "model_not_found",
            "model",
        ),
        (
            lambda client: client.with_options(api_key="oct_wrong").models.list(),
            openai.AuthenticationError,
            "invalid_api_key",
            None,
        ),
        (
            lambda client: client.post("/chat/completions", cast_to=object),
            openai.NotFoundError,
            "no_such_route",
            None,
        ),
    ],
    ids=[
        "no model",
        "no model for speech",
        "no voice",
        "no text",
        "too fast",
        "no recording",
        "no model for recordings",
        "no key",
        "no route",
    ],
)
def test_errors_are_those_that_the_client_knows(
    client: OpenAI, call: Callable[[OpenAI], Any], error: type[openai.APIStatusError], code: str, param: str | None
) -> None:
    with pytest.raises(error) as raised:
        call(client)
    assert (raised.value.code, raised.value.param) == (code, param)
    assert raised.value.type == "invalid_request_error"
    assert raised.value.request_id


def test_a_client_that_disconnects_cancels_its_job(running: Service, client: OpenAI, tmp_path: Path) -> None:
    # Given a recording that takes long
    media = clip(tmp_path, 180)
    # When a client gives up waiting for its answer
    before = newest_job(running)
    hasty = client.with_options(timeout=openai.Timeout(60, read=1.0))
    with pytest.raises(openai.APITimeoutError):
        hasty.audio.transcriptions.create(model="whisper-1", file=media)
    # Then its job is canceled
    until_canceled(running, before)

    # And so is that of one that leaves a stream before its end
    before = newest_job(running)
    client.audio.transcriptions.create(model="whisper-1", file=media, stream=True).close()
    until_canceled(running, before)
