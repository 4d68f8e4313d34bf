"""OpenAI's protocol over jobs that are driven by hand: what is made of them, and what becomes of them."""

import base64
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from octavia.jobs.access.keys import Limits, Scope
from octavia.jobs.protocol import cancel, claims
from octavia.jobs.tables import queries
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import Failure, HeardSegment, JobRecord
from octavia.jobs.tables.states import JobStatus, JobType
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.web import create_app
from tests.integration.api.conftest import Stored
from tests.integration.api.driving import RESULTS, TEXT, TRANSLATION, WORDS, complete, fail
from tests.integration.api.keyed import Keyed
from tests.integration.jobs.steps import Steps
from tests.support.waiting import until

RECORDING = {"file": ("talk.wav", b"sound", "audio/wav")}
TRANSCRIPTIONS = "/v1/audio/transcriptions"
TRANSLATIONS = "/v1/audio/translations"
SPEECH = "/v1/audio/speech"
AUDIO = RESULTS["dub.wav"][1]


class Asking:
    """Requests that wait inside, while the test does the work."""

    def __init__(self, steps: Steps, storage: Storage) -> None:
        self.steps = steps
        self.storage = storage
        self._threads = ThreadPoolExecutor(4)

    def begin(self, ask: Callable[[], httpx.Response]) -> tuple[Future[httpx.Response], JobRecord]:
        """A request, and the job that it made; where it waits only for a moment, it may have its answer by now."""
        before = len(self._jobs())
        future = self.ask(ask)
        until(lambda: len(self._jobs()) > before or future.done())
        assert len(self._jobs()) > before, future.result().text
        return future, self._jobs()[0]

    def ask(self, ask: Callable[[], httpx.Response]) -> Future[httpx.Response]:
        """A request that makes no job."""
        return self._threads.submit(ask)

    def complete(self, ask: Callable[[], httpx.Response]) -> tuple[httpx.Response, JobRecord]:
        """The answer to a request whose job completes."""
        future, job = self.begin(ask)
        complete(self.steps, self.storage, job.id)
        return future.result(30), self.steps.job(job.id)

    def _jobs(self) -> tuple[JobRecord, ...]:
        return queries.list_jobs(self.steps.db, "local").jobs

    def close(self) -> None:
        self._threads.shutdown()


@pytest.fixture
def asking(steps: Steps, storage: Storage) -> Iterator[Asking]:
    asking = Asking(steps, storage)
    yield asking
    asking.close()


@pytest.fixture
def hasty(settings: Settings, database: Database, storage: Storage) -> Iterator[TestClient]:
    """A client of an API that waits for no more than a moment."""
    app = create_app(settings.model_copy(update={"max_wait_seconds": 0.3}), database=database, storage=storage)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def transcribe(client: TestClient, headers: Any = None, **fields: Any) -> Callable[[], httpx.Response]:
    data = {"model": "whisper-1", **fields}
    return lambda: client.post(TRANSCRIPTIONS, data=data, files=RECORDING, headers=headers)


def speak(client: TestClient, **fields: Any) -> Callable[[], httpx.Response]:
    body = {"model": "tts-1", "voice": "alloy", "input": "Good morning.", "response_format": "wav", **fields}
    headers = {"content-type": "application/json"}
    return lambda: client.post(SPEECH, content=json.dumps(body), headers=headers)


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.headers["content-type"].startswith("text/event-stream")
    return [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line.startswith("data: ")]


def refused(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The error of an answer, whose shape is OpenAI's."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json().keys() == {"error"}
    error: dict[str, Any] = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert answer.headers["x-request-id"]
    return error


def test_a_transcription_is_a_job_like_others(client: TestClient, asking: Asking) -> None:
    fields = {
        "language": "en",
        "prompt": "Hello",
        "keywords[]": ["back"],
        "temperature": "0.5",
        "include[]": "logprobs",
    }
    answer, job = asking.complete(transcribe(client, **fields))
    assert answer.json() == {"text": TEXT, "usage": {"type": "duration", "seconds": 7}}
    assert (job.type, job.owner, job.source_language) == (JobType.TRANSCRIBE, "local", "en")
    assert list(job.options.values()) == ["back Hello"]
    assert client.get(f"/api/v1/jobs/{job.id}").json()["status"] == "completed"


@pytest.mark.parametrize(
    ("format", "media_type", "text"),
    [
        ("text", "text/plain; charset=utf-8", f"{TEXT}\n"),
        ("srt", "application/x-subrip; charset=utf-8", RESULTS["transcript.srt"][1].decode()),
        ("vtt", "text/vtt; charset=utf-8", RESULTS["transcript.vtt"][1].decode()),
    ],
)
def test_a_transcript_as_text(client: TestClient, asking: Asking, format: str, media_type: str, text: str) -> None:
    answer, _ = asking.complete(transcribe(client, response_format=format))
    assert (answer.headers["content-type"], answer.text) == (media_type, text)


@pytest.mark.parametrize(
    ("wanted", "there"), [(None, {"segments"}), (["word"], {"words"}), (["word", "segment"], {"segments", "words"})]
)
def test_a_transcript_with_times(client: TestClient, asking: Asking, wanted: list[str] | None, there: set[str]) -> None:
    fields = {"timestamp_granularities[]": wanted} if wanted else {}
    answer, _ = asking.complete(transcribe(client, response_format="verbose_json", **fields))
    said = answer.json()
    assert {"segments", "words"} & said.keys() == there
    assert (said["task"], said["language"], said["duration"], said["text"]) == ("transcribe", "english", 6.25, TEXT)
    if "segments" in there:
        (segment,) = said["segments"]
        assert (segment["start"], segment["end"], segment["text"]) == (0.0, 6.0, f" {TEXT}")
        assert (segment["avg_logprob"], segment["no_speech_prob"]) == (-0.25, 0.01)
    if "words" in there:
        assert said["words"][1] == {"word": "to", "start": 0.5, "end": 0.9}
        assert len(said["words"]) == len(WORDS)


def test_a_translation_is_into_english(client: TestClient, asking: Asking) -> None:
    fields = {"model": "whisper-1", "response_format": "verbose_json"}
    answer, job = asking.complete(lambda: client.post(TRANSLATIONS, data=fields, files=RECORDING))
    # The driven job wrote its translation in Spanish
    assert (answer.json()["task"], answer.json()["text"]) == ("translate", TRANSLATION.text)
    assert [segment["text"] for segment in answer.json()["segments"]] == [f" {TRANSLATION.text}"]
    assert (job.type, job.source_language, job.target_language) == (JobType.TRANSLATE, "auto", "en")
    assert job.options["keep_language"] is True


def test_a_transcription_uses_the_model_that_it_names(client: TestClient, asking: Asking) -> None:
    _, job = asking.complete(transcribe(client, model="whisper-tiny.en"))
    assert job.options == {"speech_model": "whisper-tiny.en"}


def test_a_transcript_is_streamed_in_the_order_of_the_recording(client: TestClient, asking: Asking) -> None:
    # Given a recording of two chunks, of which the second is recognised first
    steps = asking.steps
    future, job = asking.begin(transcribe(client, stream="true"))
    (prepare,) = steps.deliver()
    steps.do(prepare, chunks=2)
    messages = {ref.chunk: (steps.claim(ref), message) for ref, message in steps.deliver().items()}
    for chunk, index, text in ((1, 0, "Third."), (0, 0, "First."), (0, 1, "Second."), (1, 1, "Fourth.")):
        claim, _ = messages[chunk]
        claims.record_progress(steps.db, claim.task_id, claim.attempt, 0.5, [HeardSegment(index, 0.0, 1.0, text)])
    for claim, message in reversed(messages.values()):
        assert steps.complete(claim, message)
    complete(steps, asking.storage, job.id)
    # Then its segments are told in the order of the recording, and in the end all of it
    told = events(future.result(30))
    assert [event.get("delta") for event in told[:-1]] == ["First.", " Second.", " Third.", " Fourth."]
    assert all(event["type"] == "transcript.text.delta" for event in told[:-1])
    assert told[-1] == {"type": "transcript.text.done", "text": TEXT}


def test_a_stream_ends_with_the_error_of_its_job(client: TestClient, asking: Asking) -> None:
    future, _ = asking.begin(transcribe(client, stream="true"))
    fail(asking.steps)
    (event,) = events(future.result(30))
    assert event["error"]["code"] == "no_audio"
    assert event["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("failure", "status", "kind"),
    [
        (Failure("no_audio", "There is no sound.", "Send some.", retryable=False), 400, "invalid_request_error"),
        (Failure("worker_lost", "The worker died.", "Look into its log.", retryable=False), 500, "server_error"),
    ],
)
def test_a_job_that_fails_is_an_error(
    client: TestClient, asking: Asking, failure: Failure, status: int, kind: str
) -> None:
    future, job = asking.begin(transcribe(client))
    (prepare,) = asking.steps.deliver()
    asking.steps.fail(asking.steps.claim(prepare), failure)
    error = refused(future.result(30), status)
    assert (error["code"], error["type"]) == (failure.code, kind)
    assert str(job.id) in error["message"]
    assert failure.hint in error["message"]
    # Its client need not try again: the workers have
    assert status < 500 or future.result().headers["x-should-retry"] == "false"


def test_a_job_that_somebody_cancels_is_an_error(client: TestClient, asking: Asking) -> None:
    future, job = asking.begin(transcribe(client))
    cancel.cancel(asking.steps.db, job.id, "local")
    assert refused(future.result(30), 409)["code"] == "job_canceled"
    assert future.result().headers["x-should-retry"] == "false"


@pytest.mark.parametrize("ask", [transcribe, speak])
def test_waiting_has_an_end(hasty: TestClient, asking: Asking, ask: Callable[..., Any]) -> None:
    # When a job does not end in the time that the API waits
    future, job = asking.begin(ask(hasty))
    error = refused(future.result(30), 504)
    # Then the answer names it, and it is canceled
    assert (error["code"], error["type"]) == ("wait_timeout", "server_error")
    assert str(job.id) in error["message"]
    assert future.result().headers["x-should-retry"] == "false"
    assert asking.steps.job(job.id).status is JobStatus.CANCELED


def test_a_stream_has_an_end(hasty: TestClient, asking: Asking) -> None:
    future, job = asking.begin(transcribe(hasty, stream="true"))
    (event,) = events(future.result(30))
    assert event["error"]["code"] == "wait_timeout"
    assert asking.steps.job(job.id).status is JobStatus.CANCELED


def test_stopping_the_api_ends_requests_that_wait(
    settings: Settings, database: Database, storage: Storage, asking: Asking
) -> None:
    app = create_app(settings, database=database, storage=storage)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        future, job = asking.begin(transcribe(client))
        assert client.portal is not None
        client.portal.call(app.state.hub.close)
        refusal = future.result(30)
    # Its client tries again, with the API that comes after
    assert refused(refusal, 503)["code"] == "unavailable"
    assert int(refusal.headers["retry-after"]) > 0
    assert asking.steps.job(job.id).status is JobStatus.CANCELED


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (TRANSCRIPTIONS, {"data": {"model": "whisper-1"}, "files": RECORDING}),
        (TRANSLATIONS, {"data": {"model": "whisper-1"}, "files": RECORDING}),
        (SPEECH, {"json": {"model": "tts-1", "voice": "nova", "input": "Hello.", "response_format": "wav"}}),
    ],
)
def test_the_same_key_gets_the_same_answer(
    client: TestClient, asking: Asking, stored: Stored, path: str, body: dict[str, Any]
) -> None:
    def ask() -> httpx.Response:
        return client.post(path, headers={"idempotency-key": "one"}, **body)

    # Given a request that waits, and a twin of it with the same key
    first, job = asking.begin(ask)
    second = asking.ask(ask)
    complete(asking.steps, asking.storage, job.id)
    kept = stored.files
    # When they are answered, and so is one that comes later
    answers = [first.result(30), second.result(30), ask()]
    # Then all get what one job made
    assert [answer.status_code for answer in answers] == [200] * 3
    assert len({answer.content for answer in answers}) == 1
    assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, "true", "true"]
    assert len(client.get("/api/v1/jobs").json()["jobs"]) == 1
    assert stored.files == kept


def test_a_key_is_for_one_request(client: TestClient, asking: Asking) -> None:
    headers = {"idempotency-key": "one"}
    ask = transcribe(client, headers=headers)
    assert asking.complete(ask)[0].status_code == 200
    assert refused(transcribe(client, headers=headers, prompt="x")(), 400)["code"] == "idempotency_key_reused"
    assert (
        refused(transcribe(client, headers={"idempotency-key": "é".encode("latin-1")})(), 400)["code"]
        == "invalid_idempotency_key"
    )


def test_a_request_with_a_key_may_be_sent_again_after_a_timeout(
    hasty: TestClient, asking: Asking, settings: Settings, database: Database, storage: Storage
) -> None:
    # Given a request with a key whose job takes longer than the API waits
    ask = transcribe(hasty, headers={"idempotency-key": "one"})
    future, job = asking.begin(ask)
    assert refused(future.result(30), 504)["code"] == "wait_timeout"
    # Then its client may send it again, and the job goes on
    assert "x-should-retry" not in future.result().headers
    assert asking.steps.job(job.id).status is JobStatus.QUEUED
    complete(asking.steps, asking.storage, job.id)
    again = ask()
    assert (again.status_code, again.json()["text"]) == (200, TEXT)


def test_the_key_of_a_failed_job_is_free_again(client: TestClient, asking: Asking) -> None:
    ask = transcribe(client, headers={"idempotency-key": "one"})
    future, job = asking.begin(ask)
    fail(asking.steps)
    refused(future.result(30), 400)
    answer, other = asking.complete(ask)
    assert answer.status_code == 200
    assert other.id != job.id


def test_a_text_is_spoken(client: TestClient, asking: Asking) -> None:
    answer, job = asking.complete(speak(client, voice={"id": "en_US-joe-medium"}, speed=2, instructions="Softly."))
    assert answer.content == AUDIO
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["content-length"] == str(len(AUDIO))
    assert (job.type, job.source_language) == (JobType.SYNTHESIZE, "en")
    assert job.options == {"voice": "en_US-joe-medium/en_US-joe-medium", "formats": ["wav"], "speed": 2.0}
    assert job.input["text"] == "Good morning."


def test_speech_comes_as_events(client: TestClient, asking: Asking) -> None:
    answer, _ = asking.complete(speak(client, stream_format="sse", model="gpt-4o-mini-tts"))
    *parts, done = events(answer)
    assert done["type"] == "speech.audio.done"
    assert {part["type"] for part in parts} == {"speech.audio.delta"}
    assert b"".join(base64.b64decode(part["audio"]) for part in parts) == AUDIO


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ({"model": "gpt-5"}, 404, "model_not_found", "model"),
        ({"model": "tts-1"}, 404, "model_not_found", "model"),
        ({"model": "en-es"}, 404, "model_not_found", "model"),
        ({"model": ""}, 400, "invalid_field", "model"),
        ({"language": "xx"}, 400, "unknown_language", "language"),
        ({"language": "es", "model": "whisper-tiny.en"}, 400, "unsupported_source_language", "language"),
        ({"response_format": "diarized_json"}, 400, "invalid_field", "response_format"),
        ({"temperature": "2"}, 400, "invalid_field", "temperature"),
        ({"timestamp_granularities[]": "word"}, 400, "not_applicable", "timestamp_granularities"),
        ({"include[]": "everything"}, 400, "invalid_field", "include"),
        ({"stream": "true", "response_format": "srt"}, 400, "not_applicable", "response_format"),
        ({"known_speaker_names[]": "Ann"}, 400, "unknown_field", "known_speaker_names[]"),
    ],
)
def test_a_recording_that_cannot_be_transcribed_so(
    client: TestClient, stored: Stored, fields: dict[str, str], status: int, code: str, param: str
) -> None:
    error = refused(transcribe(client, **fields)(), status)
    assert (error["code"], error["param"], error["type"]) == (code, param, "invalid_request_error")
    assert stored.empty
    assert client.get("/api/v1/jobs").json()["jobs"] == []


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ({"model": "whisper-1"}, 404, "model_not_found", "model"),
        ({"voice": "nobody"}, 400, "voice_unavailable", "voice"),
        ({"voice": "nova", "language": "zu"}, 400, "voice_unavailable", "voice"),
        ({"voice": "af_heart", "model": "en_US-joe-medium"}, 400, "voice_unavailable", "voice"),
        ({"voice": {"name": "nova"}}, 400, "invalid_field", "voice"),
        ({"input": ""}, 400, "text_empty", "input"),
        ({"input": "a" * 1001}, 413, "text_too_long", "input"),
        ({"speed": 0.2}, 400, "invalid_field", "speed"),
        ({"response_format": "m4a"}, 400, "invalid_field", "response_format"),
        ({"emotion": "glad"}, 400, "unknown_field", "emotion"),
        ({"\ud800": "half"}, 400, "bad_json", None),
        ({"model": "\ud800"}, 400, "invalid_field", "model"),
    ],
)
def test_a_text_that_cannot_be_spoken_so(
    client: TestClient, stored: Stored, fields: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    error = refused(speak(client, **fields)(), status)
    assert (error["code"], error["param"], error["type"]) == (code, param, "invalid_request_error")
    assert stored.empty
    if code == "voice_unavailable":
        assert "alloy" in error["message"]
        assert "en_US-joe-medium" in error["message"]


@pytest.mark.parametrize("path", [TRANSCRIPTIONS, TRANSLATIONS, SPEECH])
def test_a_malformed_request_is_refused(client: TestClient, path: str) -> None:
    assert refused(client.post(path, content=b"x"), 400)["code"] == "unsupported_content_type"
    assert refused(client.get(path), 405)["code"] == "method_not_allowed"
    assert refused(client.post(f"{path}/x"), 404)["code"] == "no_such_route"
    form = client.post(path, data={"model": "whisper-1"}, files={"other": ("a.wav", b"x")})
    assert form.status_code == 400


def test_models_are_shown(client: TestClient) -> None:
    listed = client.get("/v1/models").json()
    assert listed["object"] == "list"
    ids = {model["id"] for model in listed["data"]}
    assert {"whisper-1", "gpt-4o-transcribe", "tts-1-hd", "whisper-tiny.en", "kokoro"} <= ids
    assert "nllb-200-distilled-600m" not in ids
    for model in listed["data"]:
        assert client.get(f"/v1/models/{model['id']}").json() == model
    assert refused(client.get("/v1/models/en-es"), 404)["code"] == "model_not_found"


def test_models_are_only_the_installed_ones_if_none_may_be_fetched(
    settings: Settings, database: Database, storage: Storage
) -> None:
    app = create_app(settings.model_copy(update={"auto_pull": False}), database=database, storage=storage)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        ids = {model["id"] for model in client.get("/v1/models").json()["data"]}
        assert "whisper-tiny.en" in ids
        assert "whisper-large-v3" not in ids
        assert refused(transcribe(client, model="whisper-large-v3")(), 404)["code"] == "model_not_found"


def test_keys_are_those_of_the_api(keyed: Keyed) -> None:
    assert refused(keyed.anonymous().get("/v1/models"), 401)["code"] == "invalid_api_key"
    assert refused(keyed.anonymous("oct_no").get("/v1/models"), 401)["code"] == "invalid_api_key"
    reader = keyed.client("ann", [Scope.READ])
    assert reader.get("/v1/models").status_code == 200
    assert refused(transcribe(reader)(), 403)["code"] == "scope_missing"


def test_limits_are_those_of_the_key(keyed: Keyed, stored: Stored) -> None:
    # Given a key with as many jobs in flight as it may have
    client = keyed.client("ann", limits=Limits(None, 1))
    fields = {"type": "transcribe", "start": "true"}
    assert client.post("/api/v1/jobs", data=fields, files=RECORDING).status_code == 202
    kept = stored.files
    # Then it gets no other over this protocol
    answer = transcribe(client)()
    error = refused(answer, 429)
    assert (error["code"], error["type"]) == ("rate_limit_exceeded", "requests")
    assert int(answer.headers["retry-after"]) > 0
    assert stored.files == kept


def test_a_job_belongs_to_the_owner_of_the_key(keyed: Keyed, database: Database, steps: Steps) -> None:
    client = keyed.client("ann")
    with ThreadPoolExecutor(1) as threads:
        future = threads.submit(transcribe(client))
        until(lambda: bool(queries.list_jobs(database, "ann").jobs))
        (job,) = queries.list_jobs(database, "ann").jobs
        cancel.cancel(database, job.id, "ann")
        refused(future.result(30), 409)
    assert queries.list_jobs(database, "local").jobs == ()
