"""The requests that clients of OpenAI's protocol send, copied from their sources or recorded."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from octavia.jobs.tables import queries
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import JobRecord
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.web import create_app
from tests.integration.api.conftest import Stored

RECORDING = {"file": ("talk.wav", b"sound", "audio/wav")}
WHISPER = {"model": "whisper-1"}
SPEECH = {"model": "tts-1", "voice": "alloy", "input": "Good morning."}
WORDS = "vocabulary"


@pytest.fixture
def client(settings: Settings, database: Database, storage: Storage) -> Iterator[TestClient]:
    """A client of an API that does not wait for the jobs that it makes."""
    app = create_app(settings.model_copy(update={"max_wait_seconds": 0}), database=database, storage=storage)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def made(answer: httpx.Response, database: Database) -> JobRecord:
    """The job of a request that was accepted."""
    assert answer.json()["error"]["code"] == "wait_timeout", answer.text
    (job,) = queries.list_jobs(database, "local").jobs
    return job


def refused(answer: httpx.Response, code: str, field: str) -> None:
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, code, field), answer.text


@pytest.mark.parametrize(
    ("fields", "language", "words"),
    [
        pytest.param(
            {
                "language": "en",
                "prompt": "Dashwood",
                "response_format": "verbose_json",
                "temperature": "0",
                "timestamp_granularities[]": ["word", "segment"],
                "include[]": ["logprobs"],
                "chunking_strategy[type]": "server_vad",
                "chunking_strategy[threshold]": "0.5",
                "stream": "false",
                "keywords[]": ["Norland"],
                "languages[]": ["en"],
            },
            "en",
            "Norland Dashwood",
            id="openai",
        ),
        pytest.param(
            {"response_format": "verbose_json", "timestamp_granularities[]": "segment"}, "auto", None, id="webui"
        ),
        pytest.param(
            {
                "language": "de-AT",
                "prompt": "Dashwood",
                "response_format": "verbose_json",
                "temperature": "0",
                "timestamp_granularities[]": ["word", "segment"],
            },
            "de",
            "Dashwood",
            id="litellm",
        ),
        pytest.param(
            {"response_format": "srt", "hotwords": "Dashwood", "vad_filter": "true"},
            "auto",
            "Dashwood",
            id="litellm-extra",
        ),
        pytest.param({"language": "en", "temperature": "0.3"}, "en", None, id="n8n"),
        pytest.param({"response_format": "json", "language": "en", "prompt": ""}, "en", None, id="home-assistant"),
        pytest.param(
            {
                "language": "",
                "prompt": "",
                "response_format": "",
                "temperature": "",
                "timestamp_granularities[]": "segment",
                "stream": "false",
                "hotwords": "Dashwood",
                "vad_filter": "true",
                "diarization": "false",
            },
            "auto",
            "Dashwood",
            id="speaches",
        ),
        pytest.param(
            {"language": "undefined", "prompt": "null", "temperature": "None", "user": "null", "stream": "undefined"},
            "auto",
            None,
            id="forms-of-scripts",
        ),
        pytest.param({"language": "auto", "task": "transcribe", "output_format": "srt"}, "auto", None, id="whisper"),
        pytest.param(
            {"language": "auto", "languages[]": "", "keywords[]": "", "user": "ann"}, "auto", None, id="empty-lists"
        ),
        pytest.param(
            {"timestamp_granularities": '["word", "segment"]', "response_format": "verbose_json"},
            "auto",
            None,
            id="json",
        ),
        pytest.param(
            {"timestamp_granularities[]": "word,segment", "response_format": "verbose_json"}, "auto", None, id="commas"
        ),
        pytest.param({"nothing_we_know": "", "stream": ""}, "auto", None, id="empty-unknown"),
    ],
)
def test_a_transcription_is_accepted(
    client: TestClient, database: Database, fields: dict[str, Any], language: str, words: str | None
) -> None:
    answer = client.post("/v1/audio/transcriptions", data={**WHISPER, **fields}, files=RECORDING)
    job = made(answer, database)
    assert (job.source_language, job.options.get(WORDS)) == (language, words)


@pytest.mark.parametrize(
    "fields",
    [
        {"language": "en", "prompt": "", "response_format": "text", "temperature": "0"},
        {"language": "auto", "task": "translate", "stream": "false", "user": "ann"},
        {"language": "", "vad_filter": "false", "hotwords": "", "output_format": "vtt", "diarization": ""},
    ],
)
def test_a_translation_is_accepted(client: TestClient, database: Database, fields: dict[str, Any]) -> None:
    job = made(client.post("/v1/audio/translations", data={**WHISPER, **fields}, files=RECORDING), database)
    assert (job.source_language, job.target_language) == ("auto", "en")


@pytest.mark.parametrize(
    ("fields", "format"),
    [
        ({"user": "ann", "stream": True, "instructions": None, "speed": None, "language": ""}, "mp3"),
        ({"response_format": None, "output_format": "wav", "stream_format": "", "language": "auto"}, "wav"),
        ({"response_format": "opus", "output_format": "opus", "speed": "1.0", "backend": "", "seed": None}, "opus"),
    ],
)
def test_speech_is_accepted(client: TestClient, database: Database, fields: dict[str, Any], format: str) -> None:
    job = made(client.post("/v1/audio/speech", json={**SPEECH, **fields}), database)
    assert job.options["formats"] == [format]


@pytest.mark.parametrize(
    ("path", "fields", "code", "field"),
    [
        ("transcriptions", {"task": "translate"}, "invalid_field", "task"),
        ("transcriptions", {"diarize": "true"}, "invalid_field", "diarize"),
        ("transcriptions", {"diarization": "true"}, "invalid_field", "diarization"),
        ("transcriptions", {"output_format": "srt", "response_format": "vtt"}, "not_applicable", "output_format"),
        ("transcriptions", {"output_format": "tsv"}, "invalid_field", "response_format"),
        ("transcriptions", {"best_of": "5"}, "unknown_field", "best_of"),
        ("transcriptions", {"timestamp_granularities[]": "sentence"}, "invalid_field", "timestamp_granularities"),
        ("translations", {"task": "transcribe"}, "invalid_field", "task"),
        ("translations", {"language": "es"}, "invalid_field", "language"),
        ("translations", {"stream": "true"}, "invalid_field", "stream"),
    ],
)
def test_what_would_change_a_text_is_refused(
    client: TestClient, stored: Stored, path: str, fields: dict[str, Any], code: str, field: str
) -> None:
    refused(client.post(f"/v1/audio/{path}", data={**WHISPER, **fields}, files=RECORDING), code, field)
    assert stored.empty


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"sample_rate": 16000}, "unknown_field", "sample_rate"),
        ({"lang_code": "e"}, "unknown_field", "lang_code"),
        ({"output_format": "mp3_44100_128"}, "invalid_field", "response_format"),
        ({"voice": None}, "invalid_field", "voice"),
    ],
)
def test_what_would_change_speech_is_refused(
    client: TestClient, stored: Stored, fields: dict[str, Any], code: str, field: str
) -> None:
    refused(client.post("/v1/audio/speech", json={**SPEECH, **fields}), code, field)
    assert stored.empty


@pytest.mark.parametrize("path", ["/v1/audio/speech/", "/v1//audio/speech", "//v1/audio/speech//"])
def test_slashes_too_many_lose_no_body(client: TestClient, database: Database, path: str) -> None:
    answer = client.post(f"http://127.0.0.1{path}", json=SPEECH, follow_redirects=False)
    made(answer, database)


def test_an_error_has_openais_form_despite_slashes(client: TestClient) -> None:
    answer = client.get("http://127.0.0.1//v1/models/nothing/")
    assert answer.json()["error"]["code"] == "model_not_found"
