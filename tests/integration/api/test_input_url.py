"""A recording by its address, as far as the API goes: it is checked and accepted, and fetched by a worker later."""

from typing import Any
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from octavia.jobs.tables.database import Database
from octavia.jobs.tables.rows import Job
from octavia.jobs.tables.states import Stage
from tests.integration.api.conftest import Stored
from tests.integration.jobs.steps import Steps

JOBS = "/api/v1/jobs"
URL = "https://example.com/talks/the%20talk.mp4?signature=abc"
DUB = {"type": "dub", "source_language": "en", "target_language": "es", "input_url": URL}


def test_a_recording_by_its_address_is_accepted_at_once(
    client: TestClient, database: Database, steps: Steps, stored: Stored
) -> None:
    # Given the address of a recording
    # When a job is submitted with it
    answer = client.post(JOBS, json=DUB)
    # Then it is accepted, and nothing was fetched
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert stored.empty
    # And what is shown of it is its name, not the address
    assert job["input"] == {
        "kind": "url",
        "filename": "the talk.mp4",
        "media_type": "application/octet-stream",
        "size": None,
        "sha256": None,
    }
    for path in ("", f"/{job['id']}", f"/{job['id']}/status"):
        assert "signature" not in client.get(JOBS + path).text
    # And a worker is to go through the stages of a recording
    with database.reading() as session:
        assert session.get_one(Job, UUID(job["id"])).input["url"] == URL
    assert [ref.stage for ref in steps.deliver()] == [Stage.PREPARE]


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"input_url": "http://127.0.0.1/a.wav"}, "input_url", "url_not_allowed"),
        ({"input_url": "http://[::ffff:10.0.0.1]/a.wav"}, "input_url", "url_not_allowed"),
        ({"input_url": "http://2130706433/a.wav"}, "input_url", "url_not_allowed"),
        ({"input_url": "file:///etc/passwd"}, "input_url", "url_not_allowed"),
        ({"input_url": "https://me:you@example.com/a.wav"}, "input_url", "url_not_allowed"),
        ({"input_url": ""}, "text", "missing_field"),
        ({"input_url": 5}, "input_url", "invalid_field"),
        ({"text": "Good morning."}, "input_url", "not_applicable"),
        ({"input_url": None}, "text", "missing_field"),
        ({"type": "synthesize", "target_language": None}, "file", "wrong_input"),
    ],
)
def test_an_input_url_that_does_not_fit_the_job_is_refused(
    client: TestClient, fields: dict[str, Any], field: str, code: str
) -> None:
    # Given an address where Octavia does not go, or that does not fit the job
    # When a job is submitted with it
    answer = client.post(JOBS, json=DUB | fields)
    # Then it is refused
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, code, field)


def test_a_form_sends_its_file_itself(client: TestClient) -> None:
    # Given a form with the address of a recording
    # When it is submitted
    answer = client.post(JOBS, data={"type": "transcribe", "input_url": URL}, files={"file": ("a.wav", b"x")})
    # Then it is told how to send that
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_field")
    assert "input_url as JSON" in answer.json()["hint"]
