"""Jobs after their submission: waiting, running again from a stage, finding, and deleting."""

import threading
from typing import Any, cast
from uuid import UUID

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from octavia.jobs.access.keys import Limits
from octavia.jobs.status import workers
from octavia.jobs.tables.states import Queue, Stage
from octavia.storage import Storage
from tests.integration.api.driving import complete, fail
from tests.integration.api.keyed import Keyed
from tests.integration.api.resources.test_jobs import DUB, FILE, JOBS, TEXT, id_of, submit
from tests.integration.jobs.steps import Steps
from tests.support.waiting import until

# Waiting


def test_a_submission_may_wait_for_its_end(client: TestClient, steps: Steps, storage: Storage) -> None:
    # Given somebody who works on whatever comes
    def work() -> None:
        while not (jobs := client.get(JOBS).json()["jobs"]):
            pass
        complete(steps, storage, UUID(jobs[0]["id"]))

    worker = threading.Thread(target=work)
    worker.start()
    # When a job is submitted by a client that likes to wait
    answer = client.post(JOBS, data=DUB, files=FILE, headers={"prefer": "wait=60"})
    worker.join()
    # Then the answer says how it ended, and where it is
    assert (answer.status_code, answer.json()["status"]) == (200, "completed")
    assert answer.headers["preference-applied"] == "wait=60"
    assert answer.headers["location"] == f"{JOBS}/{answer.json()['id']}"


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("wait=0", "wait=0"),
        ("respond-async", "respond-async"),
        ("respond-async, wait=0", "respond-async, wait=0"),
        ("return=minimal", None),
    ],
)
@pytest.mark.parametrize("process", [False, True])
def test_a_job_continues_after_its_client_has_waited(
    client: TestClient, prefer: str, applied: str | None, process: bool
) -> None:
    # When a job is submitted, or processed, by a client with these wishes, and nobody works
    if process:
        answer = client.post(f"{JOBS}/{submit(client)['id']}/process", headers={"prefer": prefer})
    else:
        answer = client.post(JOBS, json=TEXT, headers={"prefer": prefer})
    # Then it hears that the job is under way, and which of them were honoured
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert answer.headers.get("preference-applied") == applied


def test_nobody_waits_for_a_job_that_is_not_started(client: TestClient) -> None:
    answer = client.post(JOBS, json={**TEXT, "start": False}, headers={"prefer": "wait=60"})
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    assert "preference-applied" not in answer.headers


# Running again


@pytest.mark.parametrize("how", ["query", "body"])
def test_a_completed_job_is_redone_from_a_stage(client: TestClient, steps: Steps, storage: Storage, how: str) -> None:
    # Given a completed job
    job = submit(client)
    complete(steps, storage, id_of(job))
    # When it is retried as it is, then that is refused with a remedy
    answer = client.post(f"{JOBS}/{job['id']}/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_state")
    assert "stage" in answer.json()["hint"]
    # When it is retried from its translation
    wanted: dict[str, Any] = {"params": {"from": "translate"}} if how == "query" else {"json": {"from": "translate"}}
    answer = client.post(f"{JOBS}/{job['id']}/retry", **wanted)
    # Then only that is done again, and what comes after it
    assert (answer.status_code, answer.json()["run"]) == (202, 2)
    assert [ref.stage for ref in steps.unsent()] == [Stage.TRANSLATE]
    # and the former results stay until then
    assert client.get(f"{JOBS}/{job['id']}/translation.txt").status_code == 200
    complete(steps, storage, id_of(job))
    assert client.get(f"{JOBS}/{job['id']}").json()["revision"] == 2


@pytest.mark.parametrize(
    ("wanted", "status", "code", "field"),
    [
        ({"params": {"from": "sing"}}, 422, "invalid_field", "from"),
        ({"params": {"stage": "translate"}}, 400, "unknown_field", "stage"),
        ({"json": {"from_stage": "translate"}}, 400, "unknown_field", "from_stage"),
        ({"json": ["translate"]}, 400, "bad_json", None),
        ({"content": b"{"}, 400, "bad_json", None),
        ({"params": {"from": "detect"}}, 422, "invalid_input", "from"),
    ],
)
def test_an_unknown_stage_is_refused(
    client: TestClient, steps: Steps, wanted: dict[str, Any], status: int, code: str, field: str | None
) -> None:
    job = submit(client)
    fail(steps)
    answer = client.post(f"{JOBS}/{job['id']}/retry", **wanted)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json().get("field") == field


@pytest.mark.parametrize("action", ["retry", "process"])
def test_a_new_run_takes_a_place_like_a_new_job(keyed: Keyed, steps: Steps, action: str) -> None:
    # Given a key that may have one job in flight, which it has, beside one that failed
    client = keyed.client(limits=Limits(jobs_in_flight=1))
    failed = client.post(JOBS, json=TEXT).json()
    fail(steps)
    client.post(JOBS, json=TEXT)
    # When the failed one shall run again, then that has to wait
    answer = client.post(f"{JOBS}/{failed['id']}/{action}")
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_jobs")


# Deleting

REST = (
    *("", "/status", "/events", "/artifacts", "/artifacts.zip", "/artifacts/dub.wav"),
    *("/transcript.txt", "/translation.srt", "/audio.wav", "/webhooks"),
)


def test_a_deleted_job_is_gone_everywhere_at_once(client: TestClient, steps: Steps, storage: Storage) -> None:
    # Given a completed job, and one that runs
    done = submit(client)
    complete(steps, storage, id_of(done))
    running = submit(client)
    (ref,) = steps.deliver()
    steps.claim(ref)
    for job in (done, running):
        # When it is deleted
        answer = client.delete(f"{JOBS}/{job['id']}")
        assert (answer.status_code, answer.content) == (204, b"")
        # Then nothing of it can be seen or done any more
        for rest in REST:
            assert client.get(f"{JOBS}/{job['id']}{rest}").json()["code"] == "job_not_found", rest
        for action in ("process", "process-async", "cancel", "retry"):
            assert client.post(f"{JOBS}/{job['id']}/{action}").json()["code"] == "job_not_found"
        assert client.delete(f"{JOBS}/{job['id']}").status_code == 404
    assert client.get(JOBS).json()["jobs"] == []


# Finding


def listed(client: TestClient, **query: str) -> list[str]:
    answer = client.get(JOBS, params=query)
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()["jobs"]]


def test_jobs_are_filtered_by_metadata(client: TestClient) -> None:
    spring = submit(client, metadata='{"project": "spring", "number": 7}')["id"]
    autumn = submit(client, metadata='{"project": "autumn", "number": 7}')["id"]
    assert listed(client, **{"metadata.project": "spring"}) == [spring]
    assert listed(client, **{"metadata.number": "7"}) == [autumn, spring]
    assert listed(client, **{"metadata.number": "7", "metadata.project": "autumn", "type": "dub"}) == [autumn]
    assert listed(client, **{"metadata.project": "summer"}) == []


def test_jobs_are_found_by_priority_and_time(client: TestClient) -> None:
    low, high = submit(client, priority="low"), submit(client, priority="high")
    assert listed(client, priority="high") == [high["id"]]
    assert listed(client, created_after=high["created_at"]) == [high["id"]]
    assert listed(client, created_before=high["created_at"]) == [low["id"]]
    assert listed(client, created_after="2020-01-01", created_before="2020-01-02T00:00:00Z") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"metadata.": "x"}, "metadata."),
        ({"metadata.a": "\0"}, "metadata.a"),
        ({"metadata.\0": "a"}, "metadata"),
        ({"metadata.a": "x" * 501}, "metadata.a"),
        ({f"metadata.{n}": "x" for n in range(11)}, "metadata.10"),
        ({"created_after": "yesterday"}, "created_after"),
        ({"created_after": "0001-01-01T00:00:00+10:00"}, "created_after"),
        ({"priority": "urgent"}, "priority"),
    ],
)
def test_an_invalid_filter_is_refused(client: TestClient, query: dict[str, str], field: str) -> None:
    answer = client.get(JOBS, params=query)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "invalid_field", field)


def test_the_metadata_as_a_whole_is_no_filter(client: TestClient) -> None:
    answer = client.get(JOBS, params={"metadata": "spring"})
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_field")


# Options and status


def test_options_are_kept(client: TestClient) -> None:
    # Words may come as a list or as a text, and columns of subtitles as a number
    job = client.post(JOBS, data={**DUB, "vocabulary": "Octavia, Dramatiq", "max_line_length": "32"}, files=FILE).json()
    assert job["options"] == {"vocabulary": "Octavia, Dramatiq", "max_line_length": 32}
    text = {**TEXT, "type": "dub", "max_line_length": 20}
    assert client.post(JOBS, json=text).json()["options"] == {"max_line_length": 20}
    terms = client.post(JOBS, data={**DUB, "glossary": '{"cat": "felino"}'}, files=FILE).json()["options"]
    assert terms == {"glossary": {"cat": "felino"}}
    assert client.post(JOBS, data={**DUB, "glossary": "{}"}, files=FILE).json()["options"] == {}
    url = {**DUB, "metadata": {}, "input_url": "https://example.com/talk.mp3", "vocabulary": ["Octavia", "Dramatiq"]}
    assert client.post(JOBS, json=url).json()["options"] == {"vocabulary": "Octavia, Dramatiq"}


@pytest.mark.parametrize("type_", ["translate", "synthesize"])
def test_texts_that_are_not_timed_have_no_subtitles(client: TestClient, type_: str) -> None:
    text = {"type": type_, "text": "Hi.", "source_language": "en", "max_line_length": 30}
    if type_ == "translate":
        text["target_language"] = "es"
    answer = client.post(JOBS, json=text)
    assert (answer.status_code, answer.json()["code"]) == (422, "not_applicable")
    assert answer.json()["field"] == "max_line_length"


def test_the_status_has_the_metadata_and_the_expected_seconds(
    client: TestClient, steps: Steps, storage: Storage
) -> None:
    cast("Starlette", client.app).state.forecast.fresh_seconds = 0.0
    # Given a service that has done nothing yet, then it cannot say how long something takes
    first = submit(client, metadata='{"project": "spring"}')
    status = client.get(first["links"]["status"]).json()
    assert (status["metadata"], status["expected_seconds"]) == ({"project": "spring"}, None)
    # When it has done a job, and has a worker
    complete(steps, storage, id_of(first))
    assert client.get(first["links"]["status"]).json()["expected_seconds"] is None
    workers.mark_seen(steps.db, "here", "host", 1, tuple(Queue), None, 0)
    # Then it soon can
    second = submit(client)
    until(lambda: client.get(second["links"]["status"]).json()["expected_seconds"] is not None)


# What is left


def test_partial_results_of_finished_chunks_can_be_downloaded(
    client: TestClient, steps: Steps, storage: Storage
) -> None:
    # Given a job of two chunks, one of them recognised
    job = submit(client)
    (prepare,) = steps.deliver()
    steps.do(prepare, chunks=2)
    messages = steps.deliver()
    done = next(iter(messages))
    steps.do(done, messages[done])
    key = next(row.storage_key for row in steps.artifacts(id_of(job)) if row.chunk == done.chunk)
    storage.put(key, b"{}")
    # When it is canceled
    client.post(f"{JOBS}/{job['id']}/cancel")
    # Then this is listed as a part, and there to download
    (left,) = client.get(f"{JOBS}/{job['id']}/artifacts").json()["artifacts"]
    assert (left["name"], left["partial"]) == (f"partial/transcribe/{done.chunk:04d}/result.json", True)
    answer = client.get(left["url"])
    assert (answer.status_code, answer.content) == (200, b"{}")
    assert f'filename="talk.partial.transcribe.{done.chunk:04d}.result.json"' in answer.headers["content-disposition"]
    # and what is not a result is not one
    assert client.get(f"{JOBS}/{job['id']}/transcript.txt").json()["code"] == "not_ready"
    missing = client.get(f"{JOBS}/{job['id']}/artifacts/partial/translate/0000/result.json")
    assert (missing.status_code, missing.json()["code"]) == (404, "artifact_not_found")
    # When it runs again, then it is not shown any more
    client.post(f"{JOBS}/{job['id']}/retry")
    assert client.get(f"{JOBS}/{job['id']}/artifacts").json()["artifacts"] == []


def test_results_are_not_parts(client: TestClient, steps: Steps, storage: Storage) -> None:
    job = submit(client)
    complete(steps, storage, id_of(job))
    assert {one["partial"] for one in client.get(f"{JOBS}/{job['id']}/artifacts").json()["artifacts"]} == {False}
