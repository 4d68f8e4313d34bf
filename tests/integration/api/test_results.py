"""What a job made is downloaded, whole or in part, and only while it is there."""

import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from octavia.jobs import retention, submit
from octavia.jobs.states import JobStatus, Stage
from octavia.storage import Storage
from tests.integration.api.driving import RESULTS, complete, fail
from tests.integration.jobs.steps import Steps

DUB = {"type": "dub", "source_language": "en", "target_language": "es"}
AUDIO = RESULTS["dub.wav"][1]
PATHS = {"dub.wav": "audio.wav"}


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
        assert answer.headers["content-type"].replace("; charset=utf-8", "") == media_type.replace(
            "; charset=utf-8", ""
        )
        assert answer.headers["content-length"] == str(len(data))
        assert answer.headers["etag"] == f'"{hashlib.sha256(data).hexdigest()}"'
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["x-content-type-options"] == "nosniff"
        disposition = f"attachment; filename=\"K_se talk.{name}\"; filename*=UTF-8''K%C3%A4se%20talk.{name}"
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


def test_head_gives_what_get_would(client: TestClient, done: str) -> None:
    whole, head = client.get(f"{done}/audio.wav"), client.head(f"{done}/audio.wav")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "content-disposition"):
        assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize("path", ["audio.mp3", "audio.exe", "translation.txt", "artifacts/nothing", "artifacts/..%2fx"])
def test_what_was_not_made_is_said_with_what_was(client: TestClient, done: str, path: str) -> None:
    answer = client.get(f"{done}/{path}")
    assert answer.status_code == 404
    if answer.json()["code"] != "no_such_route":
        assert answer.json()["code"] == "artifact_not_found"
        assert "dub.wav, transcript.srt" in answer.json()["hint"]


def test_what_stages_leave_for_each_other_is_no_result(client: TestClient, done: str, steps: Steps) -> None:
    assert any(artifact.name == "result.json" for artifact in steps.artifacts(job_id(done)))
    assert client.get(f"{done}/artifacts/result.json").status_code == 404


@pytest.mark.parametrize("path", ["transcript.srt", "translation.vtt", "audio.wav", "artifacts/dub.wav"])
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
        for path in ("audio.wav", "transcript.srt", "artifacts", "artifacts/dub.wav"):
            answer = client.get(f"{done}/{path}")
            assert (answer.status_code, answer.json()["code"]) == (410, "expired")
        job = client.get(done).json()
        assert (job["status"], job["expired"]) == ("completed", True)

    # Then its results are gone, at once and after retention removed them
    check()
    assert retention.expire_jobs(steps.db, storage) == 1
    check()


def test_a_result_that_storage_lost_is_said(client: TestClient, done: str, steps: Steps, storage: Storage) -> None:
    # Given a result whose file is gone without its row
    (row,) = [artifact for artifact in steps.artifacts(job_id(done)) if artifact.name == "dub.wav"]
    storage.delete(row.storage_key)
    # When it is fetched, then the answer is an error and not half a file
    answer = client.get(f"{done}/audio.wav")
    assert (answer.status_code, answer.json()["code"]) == (404, "artifact_missing")
