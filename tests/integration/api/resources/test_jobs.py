"""A job's life as a client sees it."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from octavia.jobs.protocol import cancel
from octavia.jobs.tables.states import Stage
from octavia.storage import Storage
from tests.integration.api.conftest import Stored
from tests.integration.api.driving import KEPT_TIME, complete, fail
from tests.integration.jobs.steps import Steps
from tests.support.waiting import until

JOBS = "/api/v1/jobs"
FILE = {"file": ("talk.wav", b"RIFF not really", "audio/wav")}
DUB = {"type": "dub", "source_language": "en", "target_language": "es"}
TEXT = {"type": "translate", "text": "Good morning.", "source_language": "en", "target_language": "es"}


def submit(client: TestClient, **fields: str) -> dict[str, Any]:
    answer = client.post(JOBS, data={**DUB, **fields}, files=FILE)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def id_of(job: dict[str, Any]) -> UUID:
    return UUID(job["id"])


def test_a_recording_is_submitted(client: TestClient, storage: Storage, steps: Steps) -> None:
    # When a recording is posted with every field
    answer = client.post(
        JOBS,
        data={**DUB, "voice": "ef_dora", "formats": ["wav,mp3", "opus"], "priority": "high", "speed": "1.1"}
        | {"metadata": '{"project": "spring"}', "beam_size": "3", "vocabulary": "Octavia"},
        files=FILE,
    )
    # Then it is accepted, and said where to look
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"{JOBS}/{job['id']}" == job["links"]["self"]
    assert (job["status"], job["priority"], job["progress"], job["revision"]) == ("queued", "high", 0.0, 0)
    assert (job["source_language"], job["target_language"]) == ("en", "es")
    assert job["metadata"] == {"project": "spring"}
    assert job["options"] == {
        "voice": "ef_dora",
        "formats": ["wav", "mp3", "opus"],
        "speed": 1.1,
        "beam_size": 3,
        "vocabulary": "Octavia",
    }
    assert job["input"]["filename"] == "talk.wav"
    assert "key" not in job["input"]
    # And the file and the first task are there
    record = steps.job(id_of(job))
    assert storage.get(record.input["key"]) == FILE["file"][1]
    assert record.input["key"] == f"jobs/{record.id}/input/talk.wav"
    assert [ref.stage for ref in steps.unsent()] == [Stage.PREPARE]
    # And it can be looked up
    assert client.get(job["links"]["self"]).json() == job


def test_fields_may_stand_before_and_after_the_file(client: TestClient) -> None:
    # Given a form with the file in the middle
    parts = [("type", "dub", None), ("file", "sound", "a.wav"), ("target_language", "es", None)]
    form = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"'
        + (f'; filename="{filename}"' if filename else "")
        + f"\r\n\r\n{value}\r\n"
        for name, value, filename in parts
    )
    # When it is posted
    answer = client.post(JOBS, content=f"{form}--x--\r\n", headers={"content-type": "multipart/form-data; boundary=x"})
    # Then both fields count
    assert answer.status_code == 202, answer.text
    assert (answer.json()["type"], answer.json()["target_language"]) == ("dub", "es")


def test_fields_without_a_value_count_as_not_sent(client: TestClient) -> None:
    # Given what a form of a web page sends, of which only some was filled in
    empty = dict.fromkeys(["text", "input_url", "input_format", "voice", "metadata", "glossary", "speed", "start"], "")
    answer = client.post(JOBS, data={**DUB, **empty, "formats": ["", "mp3"], "colour": ""}, files=FILE)
    assert answer.status_code == 202, answer.text
    assert (answer.json()["options"], answer.json()["metadata"]) == ({"formats": ["mp3"]}, {})
    # And a program that knows no difference between null, nothing and an empty text
    fields = {"type": "translate", "text": "Hi.", "source_language": "en", "target_language": "es"}
    answer = client.post(JOBS, json={**fields, "input_url": "", "voice": None, "metadata": None, "start": None})
    assert answer.status_code == 202, answer.text
    # And a search form
    assert len(client.get(f"{JOBS}?status=&type=&cursor=&limit=&created_after=").json()["jobs"]) == 2


@pytest.mark.parametrize("path", ["/api/v1/jobs/", "/api/v1//jobs", "//api/v1/jobs"])
def test_slashes_too_many_lose_no_file(client: TestClient, path: str) -> None:
    answer = client.post(f"http://127.0.0.1{path}", data=DUB, files=FILE, follow_redirects=False)
    assert answer.status_code == 202, answer.text
    shown = client.get(f"http://127.0.0.1{answer.headers['location']}/")
    assert shown.json()["id"] == answer.json()["id"]


def test_a_text_is_submitted(client: TestClient, steps: Steps) -> None:
    # When a text is posted as JSON
    answer = client.post(JOBS, json={**TEXT, "text": "¡Hola! 👋", "source_language": "es", "target_language": "en"})
    # Then it is stored and queued
    assert answer.status_code == 202, answer.text
    record = steps.job(id_of(answer.json()))
    assert record.input["kind"] == "text"
    assert record.input["text"] == "¡Hola! 👋"


def test_an_uploaded_job_waits_until_it_is_processed(client: TestClient, steps: Steps) -> None:
    # Given a job that was only uploaded
    job = submit(client, start="false")
    assert job["status"] == "pending"
    assert steps.unsent() == []
    # When it is processed, then it is queued
    answer = client.post(f"{JOBS}/{job['id']}/process")
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    # And again, then nothing changes
    again = client.post(f"{JOBS}/{job['id']}/process-async", headers={"prefer": "wait=100"})
    assert (again.status_code, again.json()["status"]) == (202, "queued")
    assert len(steps.unsent()) == 1
    assert "preference-applied" not in again.headers


def test_processing_a_completed_job_returns_it(client: TestClient, steps: Steps, storage: Storage) -> None:
    job = submit(client)
    complete(steps, storage, id_of(job))
    answer = client.post(f"{JOBS}/{job['id']}/process")
    assert (answer.status_code, answer.json()["status"]) == (200, "completed")


def test_a_dub_says_how_it_keeps_to_the_speaker(client: TestClient, steps: Steps, storage: Storage) -> None:
    # Given a job that says nothing of it yet
    job = submit(client)
    assert (job["dub"], client.get(job["links"]["status"]).json()["dub"]) == (None, None)
    # When it has been dubbed, then it does, and so does its status
    complete(steps, storage, id_of(job))
    for link in ("self", "status"):
        assert client.get(job["links"][link]).json()["dub"] == KEPT_TIME
    # And still does while it is dubbed anew, until the next dub is there
    assert client.post(f"{JOBS}/{job['id']}/retry", json={"from": "synthesize"}).json()["dub"] == KEPT_TIME


def test_processing_a_failed_job_runs_it_again(client: TestClient, steps: Steps) -> None:
    # Given a job that failed, which says why
    job = submit(client)
    fail(steps)
    failed = client.get(f"{JOBS}/{job['id']}").json()
    assert (failed["status"], failed["error"]["code"]) == ("failed", "no_audio")
    # When it is processed
    answer = client.post(f"{JOBS}/{job['id']}/process")
    # Then a new run begins
    assert (answer.status_code, answer.json()["status"], answer.json()["run"]) == (202, "queued", 2)
    assert answer.json()["error"] is None


def test_processing_a_canceled_job_is_refused(client: TestClient) -> None:
    job = submit(client)
    assert client.post(f"{JOBS}/{job['id']}/cancel").status_code == 200
    answer = client.post(f"{JOBS}/{job['id']}/process")
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_state")
    assert "/retry" in answer.json()["hint"]


@pytest.mark.parametrize("action", ["process", "process-async", "retry"])
def test_processing_an_expired_job_is_refused(client: TestClient, steps: Steps, storage: Storage, action: str) -> None:
    # Given a job that failed and whose files are past their time
    job = submit(client)
    fail(steps)
    steps.change_job(id_of(job), expires_at=datetime.now(UTC) - timedelta(seconds=1))
    # When it shall run again, then that is refused
    answer = client.post(f"{JOBS}/{job['id']}/{action}")
    assert (answer.status_code, answer.json()["code"]) == (409, "job_expired")
    assert client.get(f"{JOBS}/{job['id']}").json()["expired"] is True


def while_one_waits(client: TestClient, act: Callable[[], object]) -> threading.Thread:
    """Do something elsewhere as soon as a client waits for a job."""
    live = client.app.state.hub

    def work() -> None:
        until(lambda: not live.idle)
        act()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_waiting_ends_with_the_job(client: TestClient, steps: Steps, storage: Storage) -> None:
    # Given a job that somebody works on
    job = submit(client)
    worker = while_one_waits(client, lambda: complete(steps, storage, id_of(job)))
    # When a client waits for it
    started = time.monotonic()
    answer = client.post(f"{JOBS}/{job['id']}/process", headers={"prefer": "wait=60"})
    worker.join()
    # Then it gets it as soon as it is done
    assert (answer.status_code, answer.json()["status"]) == (200, "completed")
    assert answer.headers["preference-applied"] == "wait=60"
    assert time.monotonic() - started < 20


def test_waiting_ends_with_the_time(client: TestClient) -> None:
    job = submit(client)
    started = time.monotonic()
    answer = client.post(f"{JOBS}/{job['id']}/process", headers={"prefer": "wait=1"})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert answer.headers["preference-applied"] == "wait=1"
    assert 1 <= time.monotonic() - started < 20


def test_waiting_ends_with_a_cancel(client: TestClient, steps: Steps) -> None:
    job = submit(client)
    # Not sooner: what has been canceled is not processed
    canceler = while_one_waits(client, lambda: cancel.cancel(steps.db, id_of(job), "local"))
    answer = client.post(f"{JOBS}/{job['id']}/process", headers={"prefer": "wait=60"})
    canceler.join()
    assert (answer.status_code, answer.json()["status"]) == (200, "canceled")


def test_cancel_waits_for_a_running_task(client: TestClient, steps: Steps) -> None:
    # Given a job of which a task runs
    job = submit(client)
    (ref,) = steps.deliver()
    steps.claim(ref)
    # When it is canceled, then it is about to be
    answer = client.post(f"{JOBS}/{job['id']}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (202, "processing")
    assert answer.json()["cancel_requested_at"] is not None


def test_cancel_of_a_completed_job_is_refused(client: TestClient, steps: Steps, storage: Storage) -> None:
    job = submit(client)
    complete(steps, storage, id_of(job))
    answer = client.post(f"{JOBS}/{job['id']}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_state")


def test_a_canceled_job_can_be_retried(client: TestClient) -> None:
    job = submit(client)
    client.post(f"{JOBS}/{job['id']}/cancel")
    answer = client.post(f"{JOBS}/{job['id']}/retry")
    assert (answer.status_code, answer.json()["status"], answer.json()["run"]) == (202, "queued", 2)


def test_the_status_says_how_far_a_job_is(client: TestClient, steps: Steps) -> None:
    # Given two queued jobs, the second more urgent
    first, second = submit(client), submit(client, priority="high")
    # Then the second is first in the queue
    assert client.get(first["links"]["status"]).json()["queue_position"] == 2
    assert client.get(second["links"]["status"]).json()["queue_position"] == 1
    # When the first is under way
    ref = next(ref for ref in steps.deliver() if ref.job_id == id_of(first))
    steps.do(ref, chunks=4)
    status = client.get(first["links"]["status"]).json()
    # Then its stages are told one by one
    assert (status["status"], status["queue_position"], status["error"]) == ("processing", None, None)
    assert 0 < status["progress"] < 1
    assert status["stages"]["prepare"] == {"done": 1.0, "total": 1, "progress": 1.0}
    assert status["stages"]["transcribe"] == {"done": 0.0, "total": 4, "progress": 0.0}


def test_jobs_are_listed_newest_first_page_by_page(client: TestClient) -> None:
    # Given five jobs
    ids = [submit(client)["id"] for _ in range(4)]
    ids.append(client.post(JOBS, json=TEXT).json()["id"])
    # When they are read two at a time
    pages, cursor = [], ""
    while cursor is not None:
        page = client.get(JOBS, params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        pages.append([job["id"] for job in page["jobs"]])
        cursor = page["next_cursor"]
    # Then every one comes once, the newest first
    assert pages == [ids[:2:-1], ids[2:0:-1], ids[:1]]


def test_jobs_are_filtered(client: TestClient) -> None:
    dub, text = submit(client), client.post(JOBS, json=TEXT).json()
    client.post(f"{JOBS}/{dub['id']}/cancel")

    def listed(**query: str) -> list[str]:
        return [job["id"] for job in client.get(JOBS, params=query).json()["jobs"]]

    assert listed(status="canceled") == [dub["id"]]
    assert listed(type="translate") == [text["id"]]
    assert listed(type="translate", status="canceled") == []


@pytest.mark.parametrize("job_id", ["1", "not-a-uuid", "0" * 32, "{01a20c85-6f68-7185-ae52-812067bb8f30}"])
@pytest.mark.parametrize("rest", ["", "/status", "/transcript.srt", "/artifacts"])
def test_a_job_id_that_is_not_a_uuid_is_refused(client: TestClient, job_id: str, rest: str) -> None:
    answer = client.get(f"{JOBS}/{job_id}{rest}")
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (404, "invalid_job_id", "job_id")


@pytest.mark.parametrize("action", ["process", "process-async", "cancel", "retry"])
def test_every_operation_on_an_unknown_job_is_not_found(client: TestClient, action: str) -> None:
    answer = client.post(f"{JOBS}/01a20c85-6f68-7185-ae52-812067bb8f30/{action}")
    assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")


def test_an_unknown_path_is_answered_with_a_problem(client: TestClient, stored: Stored) -> None:
    for method, path, status, code in [
        ("GET", "/nothing", 404, "no_such_route"),
        ("POST", "/nothing/", 404, "no_such_route"),
        ("PUT", JOBS, 405, "method_not_allowed"),
        ("POST", "/healthz", 405, "method_not_allowed"),
    ]:
        answer = client.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-request-id"] == answer.json()["request_id"]
    assert client.put(JOBS).headers["allow"] == "GET, HEAD, POST"
    assert stored.empty


SRT = b"1\r\n00:00:01,000 --> 00:00:02,000\r\nGood morning.\r\n"
VTT = b"\xef\xbb\xbfWEBVTT\n\n00:01.000 --> 00:02.000\nGood morning.\n"


def test_subtitles_are_known_by_their_beginning(client: TestClient, storage: Storage, steps: Steps) -> None:
    for name, data, format in (("a.srt", SRT, "srt"), ("a", VTT, "vtt"), ("b.bin", b"\xff\xfe" + SRT[:0], None)):
        for type_ in ("translate", "dub"):
            # When a file is sent to a job that can do without speech
            answer = client.post(JOBS, data={**DUB, "type": type_}, files={"file": (name, data, "text/plain")})
            # Then it is taken for what it is
            assert answer.status_code == 202, answer.text
            job = steps.job(id_of(answer.json()))
            assert (job.input["kind"], job.input.get("format")) == ("subtitles" if format else "media", format)
            assert storage.get(job.input["key"]) == data
    # And spoken, which a recording is not
    spoken = {"type": "synthesize", "source_language": "en"}
    assert client.post(JOBS, data=spoken, files={"file": ("a.srt", SRT)}).json()["input"]["kind"] == "subtitles"
    refused = client.post(JOBS, data=spoken, files={"file": ("a.wav", b"RIFF")})
    assert (refused.json()["code"], "subtitles" in refused.json()["hint"]) == ("wrong_input", True)
    # But what listens needs a recording, and says what it was sent
    heard = client.post(JOBS, data={"type": "transcribe", "source_language": "en"}, files={"file": ("a.wav", SRT)})
    assert (heard.status_code, heard.json()["code"]) == (422, "wrong_input")
    assert "subtitles" in heard.json()["detail"]
    # And nothing else is taken for subtitles by its name
    named = client.post(JOBS, data=DUB, files={"file": ("a.srt", b"RIFF\0\0\0\0WAVE")})
    assert (named.status_code, named.json()["code"]) == (422, "bad_subtitles")


def test_the_input_format_may_be_named(client: TestClient, steps: Steps) -> None:
    def kind(**fields: str) -> tuple[int, str]:
        answer = client.post(JOBS, data={**DUB, **fields}, files={"file": ("a.srt", SRT)})
        return answer.status_code, answer.json().get("code") or steps.job(id_of(answer.json())).input["kind"]

    assert kind(input_format="media") == (422, "wrong_input")
    assert kind(input_format="vtt") == (202, "subtitles")
    assert kind(input_format="docx") == (422, "invalid_field")
    assert kind(input_format="srt", type="transcribe") == (422, "wrong_input")
    assert kind(source_language="auto") == (422, "language_required")

    def named(**fields: str) -> str:
        body = client.post(JOBS, json={**DUB, **fields}).json()
        return str(body.get("code") or body["input"]["kind"])

    assert named(text=SRT.decode(), input_format="srt") == "subtitles"
    assert named(text=SRT.decode()) == "subtitles"
    assert named(text="Good --> morning.") == "text"
    assert named(text="Hi.", input_format="media") == "not_applicable"
    assert named(input_url="https://example.com/a.srt", input_format="srt") == "not_applicable"
    assert named(input_url="https://example.com/a.srt") == "wrong_input"
    assert named(input_url="https://example.com/a.wav", input_format="media") == "url"
