"""Requests that wait while their key is revoked."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from octavia.jobs.access import keys
from octavia.jobs.access.keys import Scope
from octavia.jobs.lifecycle import submit
from octavia.jobs.tables import queries
from octavia.jobs.tables.records import JobRecord, NewJob
from octavia.jobs.tables.states import JobStatus, JobType
from tests.integration.api.live.conftest import on_sqlite
from tests.integration.api.server import Server
from tests.integration.jobs.steps import MEDIA, Steps
from tests.support.waiting import until


@on_sqlite
@pytest.mark.parametrize("stream", ["false", "true"])
def test_a_transcription_request_ends_when_its_key_is_revoked(with_keys: Server, steps: Steps, stream: str) -> None:
    with_keys.hub.poll_seconds = 0.1
    # Given somebody who waits for a transcript
    record, token = keys.create(steps.db, "mine", scopes=[Scope.READ, Scope.WRITE])
    url = f"http://127.0.0.1:{with_keys.port}/v1/audio/transcriptions"
    asked = {"model": "whisper-1", "stream": stream}

    def ask() -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.post(url, headers=headers, data=asked, files={"file": ("a.wav", b"sound")}, timeout=30)

    def jobs() -> Sequence[JobRecord]:
        return queries.list_jobs(steps.db, record.owner).jobs

    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(ask)
        until(lambda: bool(jobs()) or answer.done())
        # When the key is revoked
        keys.revoke(steps.db, record.prefix)
        # Then the wait is over, and the job with it
        assert "invalid_api_key" in answer.result(30).text
    until(lambda: jobs()[0].status is JobStatus.CANCELED)


@on_sqlite
def test_waiting_for_a_job_ends_when_the_key_is_revoked(with_keys: Server, steps: Steps) -> None:
    with_keys.hub.poll_seconds = 0.1
    # Given somebody who waits for a job to end
    record, token = keys.create(steps.db, "mine", scopes=[Scope.READ, Scope.WRITE])
    job = submit.create(steps.db, NewJob(JobType.TRANSCRIBE, "en", owner=record.owner, input=dict(MEDIA)))
    url = f"http://127.0.0.1:{with_keys.port}/api/v1/jobs/{job.id}/process"
    headers = {"Authorization": f"Bearer {token}", "Prefer": "wait=60"}
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(lambda: httpx.post(url, headers=headers, timeout=30))
        until(lambda: not with_keys.hub.idle)
        # When the key is revoked, Then the wait is over
        keys.revoke(steps.db, record.prefix)
        refused = answer.result(30)
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_key")
