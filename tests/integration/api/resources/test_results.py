"""A job's results are downloaded, whole or in part, as long as they exist."""

import hashlib
import io
import re
import zipfile
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from octavia.jobs.lifecycle import retention, submit
from octavia.jobs.tables.states import JobStatus, Stage
from octavia.storage import Storage
from octavia.subtitles import MEDIA_TYPES, SUBTITLE_FORMATS
from tests.integration.api.driving import RESULTS, SAID, complete, fail
from tests.integration.jobs.steps import Steps
from tests.support.subtitle_rules import plain, read

DUB = {"type": "dub", "source_language": "en", "target_language": "es"}
AUDIO = RESULTS["dub.wav"][1]
PATHS = {"dub.wav": "audio.wav", "video.mp4": "video"}
NAMES = {"video.mp4": "es.mp4"}


@pytest.fixture
def url(client: TestClient) -> str:
    """A job that was submitted."""
    answer = client.post("/api/v1/jobs", data=DUB, files={"file": ("Käse talk.wav", b"sound", "audio/wav")})
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


@pytest.fixture
def done(url: str, steps: Steps, storage: Storage) -> str:
    """A job that has completed."""
    complete(steps, storage, job_id(url))
    return url


def job_id(url: str) -> UUID:
    return UUID(url.rpartition("/")[2])


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_is_downloaded(client: TestClient, done: str, name: str) -> None:
    media_type, data = RESULTS[name]
    for path in (PATHS.get(name, name), f"artifacts/{name}"):
        # When it is fetched, by its short address or as an artifact
        answer = client.get(f"{done}/{path}")
        # Then it comes whole, with all that describes it
        assert answer.status_code == 200
        assert answer.content == data
        assert answer.headers["content-type"] == media_type
        assert answer.headers["content-length"] == str(len(data))
        assert answer.headers["etag"] == f'"{hashlib.sha256(data).hexdigest()}"'
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["x-content-type-options"] == "nosniff"
        saved = NAMES.get(name, name)
        disposition = f"attachment; filename=\"K_se talk.{saved}\"; filename*=UTF-8''K%C3%A4se%20talk.{saved}"
        assert answer.headers["content-disposition"] == disposition


def test_results_are_listed(client: TestClient, done: str) -> None:
    found = client.get(f"{done}/artifacts").json()["artifacts"]
    assert [artifact["name"] for artifact in found] == sorted(RESULTS)
    for artifact in found:
        assert client.get(artifact["url"]).content == RESULTS[artifact["name"]][1]
        assert artifact["size"] == len(RESULTS[artifact["name"]][1])
        assert artifact["revision"] == 1


def test_a_client_that_has_a_result_gets_no_second(client: TestClient, done: str) -> None:
    etag = client.get(f"{done}/audio.wav").headers["etag"]
    answer = client.get(f"{done}/audio.wav", headers={"if-none-match": etag})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    assert client.get(f"{done}/audio.wav", headers={"if-none-match": '"old"'}).status_code == 200


@pytest.mark.parametrize(
    ("given", "start", "end"), [("bytes=0-9", 0, 10), ("bytes=1000000-", 1_000_000, 1_048_576), ("bytes=-7", -7, None)]
)
def test_a_part_of_a_result_is_downloaded(
    client: TestClient, done: str, given: str, start: int, end: int | None
) -> None:
    answer = client.get(f"{done}/audio.wav", headers={"range": given})
    expected = AUDIO[start:end]
    first = start % len(AUDIO)
    assert (answer.status_code, answer.content) == (206, expected)
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(expected) - 1}/{len(AUDIO)}"
    assert answer.headers["content-length"] == str(len(expected))


def test_a_part_that_is_not_there(client: TestClient, done: str) -> None:
    answer = client.get(f"{done}/audio.wav", headers={"range": "bytes=99999999-"})
    assert (answer.status_code, answer.json()["code"]) == (416, "range_not_satisfiable")
    assert answer.headers["content-range"] == f"bytes */{len(AUDIO)}"


def test_head_returns_the_headers_of_get(client: TestClient, done: str) -> None:
    whole, head = client.get(f"{done}/audio.wav"), client.head(f"{done}/audio.wav")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "content-disposition"):
        assert head.headers[name] == whole.headers[name]
    # And to who has it already; parts there are only for GET
    had = client.head(f"{done}/audio.wav", headers={"if-none-match": whole.headers["etag"]})
    assert (had.status_code, had.headers["etag"]) == (304, whole.headers["etag"])
    part = client.head(f"{done}/audio.wav", headers={"range": "bytes=0-9"})
    assert (part.status_code, part.headers["content-length"]) == (200, str(len(AUDIO)))


@pytest.mark.parametrize("name", ["transcript.srt", "transcript.vtt", "translation.vtt"])
def test_subtitles_are_made_anew_in_other_lines(client: TestClient, done: str, name: str) -> None:
    # When subtitles are fetched as they were written, and with narrow and with few lines
    written = client.get(f"{done}/{name}")
    narrow = client.get(f"{done}/{name}", params={"max_line_length": 12})
    single = client.get(f"{done}/{name}", params={"max_line_length": 12, "max_lines": 1})
    # Then the lines are as asked for, and each has an ETag of its own
    shown = [line for line in narrow.text.splitlines() if line and "-->" not in line and line != "WEBVTT"]
    assert max(map(len, shown)) <= 12 < max(map(len, written.text.splitlines()))
    assert single.text.count("-->") > narrow.text.count("-->")
    assert len({answer.headers["etag"] for answer in (written, narrow, single)}) == 3
    for answer in (narrow, single):
        assert answer.headers["content-type"] == written.headers["content-type"]
        assert answer.headers["content-disposition"] == written.headers["content-disposition"]
    # And who has one gets no second, and parts of it can be had
    again = client.get(
        f"{done}/{name}", params={"max_line_length": 12}, headers={"if-none-match": narrow.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    part = client.get(f"{done}/{name}", params={"max_line_length": 12}, headers={"range": "bytes=3-9"})
    assert (part.status_code, part.content) == (206, narrow.content[3:10])


@pytest.mark.parametrize("kind", ["transcript", "translation", "bilingual"])
def test_subtitles_come_in_every_format_and_in_both_languages(client: TestClient, done: str, kind: str) -> None:
    said = {"transcript": [SAID.text], "translation": [SAID.spoken], "bilingual": [SAID.text, SAID.spoken]}[kind]
    for format in SUBTITLE_FORMATS:
        # When subtitles are fetched that the job may not have written
        answer = client.get(f"{done}/{kind}.{format}")
        # Then another library reads them, and each language is there once
        lines = [line for cue in read(format, answer.text) for line in cue.lines]
        assert sorted("".join(map(plain, lines))) == sorted("".join(map(plain, said)))
        # And they are described as any result is
        assert answer.headers["content-type"] == MEDIA_TYPES[format]
        assert f"talk.{kind}.{format}" in answer.headers["content-disposition"]
        assert client.get(answer.request.url, headers={"if-none-match": answer.headers["etag"]}).status_code == 304


def test_webvtt_has_word_timestamps_on_request(client: TestClient, done: str) -> None:
    marked = client.get(f"{done}/transcript.vtt", params={"words": "true"}).text
    assert "<c>Hello</c> <00:00:00.500><c>to</c>" in marked
    assert re.sub("<[^>]*>", "", marked) == client.get(f"{done}/transcript.vtt", params={"words": "false"}).text


def test_bilingual_subtitles_need_a_translation(client: TestClient, steps: Steps, storage: Storage) -> None:
    fields = {"type": "transcribe", "source_language": "en"}
    url = client.post("/api/v1/jobs", data=fields, files={"file": ("talk.wav", b"sound")}).headers["location"]
    complete(steps, storage, job_id(url), without=("translation",))
    assert client.get(f"{url}/transcript.ass").status_code == 200
    answer = client.get(f"{url}/bilingual.srt")
    assert (answer.status_code, answer.json()["code"]) == (404, "artifact_not_found")


def test_lines_are_as_long_as_the_job_was_asked_for(client: TestClient, steps: Steps, storage: Storage) -> None:
    fields = {**DUB, "max_line_length": "20"}
    url = client.post("/api/v1/jobs", data=fields, files={"file": ("talk.wav", b"sound")}).headers["location"]
    complete(steps, storage, job_id(url))
    shown = client.get(f"{url}/transcript.srt", params={"max_lines": 1}).text.splitlines()
    assert 12 < max(len(line) for line in shown if line and "-->" not in line) <= 20


@pytest.mark.parametrize(
    ("path", "code", "field"),
    [
        ("transcript.srt?max_line_length=9", "invalid_field", "max_line_length"),
        ("transcript.srt?max_line_length=201", "invalid_field", "max_line_length"),
        ("transcript.vtt?max_lines=0", "invalid_field", "max_lines"),
        ("transcript.vtt?max_lines=5", "invalid_field", "max_lines"),
        ("translation.srt?max_lines=two", "invalid_field", "max_lines"),
        ("translation.srt?width=40", "unknown_field", "width"),
        ("transcript.txt?max_lines=1", "not_applicable", "max_lines"),
        ("transcript.srt?words=true", "not_applicable", "words"),
        ("translation.vtt?words=true", "not_applicable", "words"),
        ("bilingual.vtt?words=true", "not_applicable", "words"),
        ("bilingual.srt?max_lines=1", "not_applicable", "max_lines"),
        ("transcript.vtt?words=perhaps", "invalid_field", "words"),
        ("translation.json?max_line_length=40", "not_applicable", "max_line_length"),
    ],
)
def test_lines_that_cannot_be_asked_for(client: TestClient, done: str, path: str, code: str, field: str) -> None:
    answer = client.get(f"{done}/{path}")
    assert answer.status_code == (400 if code == "unknown_field" else 422)
    assert (answer.json()["code"], answer.json()["field"]) == (code, field)


def test_all_results_come_in_one_file(client: TestClient, done: str) -> None:
    # When the zip is fetched
    answer = client.get(f"{done}/artifacts.zip")
    # Then it has every result under its name, sound as it is and text compressed
    assert answer.headers["content-type"] == "application/zip"
    assert "filename*=UTF-8''K%C3%A4se%20talk.zip" in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as zipped:
        assert zipped.testzip() is None
        assert {entry.filename: zipped.read(entry) for entry in zipped.infolist()} == {
            name: data for name, (_, data) in RESULTS.items()
        }
        assert zipped.getinfo("dub.wav").compress_type == zipfile.ZIP_STORED
        assert zipped.getinfo("transcript.json").compress_type == zipfile.ZIP_DEFLATED
    # And who has it gets no second
    etag = answer.headers["etag"]
    assert client.get(f"{done}/artifacts.zip", headers={"if-none-match": etag}).status_code == 304
    assert client.head(f"{done}/artifacts.zip").headers["etag"] == etag
    # And there are no parts of it
    assert client.get(f"{done}/artifacts.zip", headers={"range": "bytes=0-9"}).status_code == 200
    assert answer.headers["accept-ranges"] == "none"


def test_a_file_that_storage_lost_is_missed_before_the_zip_begins(
    client: TestClient, done: str, steps: Steps, storage: Storage
) -> None:
    (row,) = [artifact for artifact in steps.artifacts(job_id(done)) if artifact.name == "transcript.vtt"]
    storage.delete(row.storage_key)
    answer = client.get(f"{done}/artifacts.zip")
    assert (answer.status_code, answer.json()["code"]) == (404, "artifact_missing")


@pytest.mark.parametrize(
    "path", ["audio.mp3", "audio.exe", "translation.exe", "bilingual.txt", "artifacts/nothing", "artifacts/..%2fx"]
)
def test_an_unknown_artifact_is_refused_with_the_names_that_exist(client: TestClient, done: str, path: str) -> None:
    answer = client.get(f"{done}/{path}")
    assert answer.status_code == 404
    if answer.json()["code"] != "no_such_route":
        assert answer.json()["code"] == "artifact_not_found"
        assert "dub.wav, transcript.json, transcript.srt" in answer.json()["hint"]


def test_intermediate_files_of_stages_are_not_artifacts(client: TestClient, done: str, steps: Steps) -> None:
    assert any(artifact.name == "result.json" for artifact in steps.artifacts(job_id(done)))
    assert client.get(f"{done}/artifacts/result.json").status_code == 404


@pytest.mark.parametrize(
    "path", ["transcript.srt", "translation.vtt?max_lines=1", "audio.wav", "artifacts/dub.wav", "artifacts.zip"]
)
def test_a_job_that_has_not_completed_has_no_results(client: TestClient, url: str, steps: Steps, path: str) -> None:
    # When a result is fetched too early, then its job's status is told
    answer = client.get(f"{url}/{path}")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")
    assert "queued" in answer.json()["detail"]
    assert "wait" in answer.json()["hint"]
    assert client.get(f"{url}/artifacts").json() == {"artifacts": []}
    # And the same after it failed
    fail(steps)
    answer = client.get(f"{url}/{path}")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")
    assert "failed" in answer.json()["detail"]


def test_results_stay_while_a_job_runs_again(client: TestClient, done: str, steps: Steps) -> None:
    # Given a completed job that is run again from a stage
    job = submit.retry(steps.db, job_id(done), "local", from_stage=Stage.TRANSLATE)
    assert job.status is JobStatus.QUEUED
    # Then the results of the time before can still be had
    assert client.get(f"{done}/audio.wav").content == AUDIO


def test_results_expire(client: TestClient, done: str, steps: Steps, storage: Storage) -> None:
    # Given a job whose time is over
    steps.change_job(job_id(done), expires_at=datetime.now(UTC) - timedelta(seconds=1))

    def check() -> None:
        for path in ("audio.wav", "transcript.srt", "artifacts", "artifacts/dub.wav", "artifacts.zip"):
            answer = client.get(f"{done}/{path}")
            assert (answer.status_code, answer.json()["code"]) == (410, "expired")
        job = client.get(done).json()
        assert (job["status"], job["expired"]) == ("completed", True)

    # Then its results are gone, at once and after retention removed them
    check()
    assert retention.expire_jobs(steps.db, storage) == 1
    check()


def test_a_result_that_storage_lost_is_reported_as_missing(
    client: TestClient, done: str, steps: Steps, storage: Storage
) -> None:
    # Given a result whose file is gone without its row
    (row,) = [artifact for artifact in steps.artifacts(job_id(done)) if artifact.name == "dub.wav"]
    storage.delete(row.storage_key)
    # When it is fetched, then the answer is an error and not half a file
    answer = client.get(f"{done}/audio.wav")
    assert (answer.status_code, answer.json()["code"]) == (404, "artifact_missing")
