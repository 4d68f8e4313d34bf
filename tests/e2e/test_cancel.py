"""Canceling what real engines work on: no piece of theirs is so long that its job would have to wait for it."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx_sse
import pytest

from tests.e2e.service import SAMPLE, Service, clip, service

pytestmark = pytest.mark.timeout(600)  # minutes, where the machine is slow and has more to do than this

DUB = {"type": "dub", "source_language": "en", "target_language": "es", "voice": "kokoro/ef_dora"}
SOON = 10.0
"""After three seconds native code is given up; the rest is for a machine that is slow, or stalls."""


def events(running: Service, job_id: str) -> list[str]:
    """The events of a job that has ended."""
    with httpx_sse.connect_sse(running.client, "GET", f"/api/v1/jobs/{job_id}/events") as source:
        return [event.event for event in source.iter_sse()]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("cancel")) as running:
        running.start_api()
        yield running


@pytest.mark.parametrize("stage", ["transcribe", "synthesize"])
def test_a_job_that_runs_is_canceled_soon(running: Service, tmp_path: Path, stage: str) -> None:
    # Given a dub that is being recognised, or spoken
    media = SAMPLE if stage == "transcribe" else clip(tmp_path)
    job = running.submit(media, **DUB, max_line_length="24", vocabulary="Dashwood")
    url = f"/api/v1/jobs/{job['id']}"
    running.until_started(job["id"], stage)
    # When it is canceled
    began = time.monotonic()
    assert running.client.post(f"{url}/cancel").status_code == 202
    status = running.until_ended(job["id"], 30)
    # Then it soon is, and hears of nothing more
    assert status["status"] == "canceled"
    assert time.monotonic() - began < SOON
    before = events(running, job["id"])
    assert before[-1] == "canceled"
    assert running.client.post(f"{url}/process").status_code == 409
    # and its workers are free for other jobs, while this one stays as it is
    other = running.client.post(
        "/api/v1/jobs",
        json={"type": "translate", "text": "Good morning.", "source_language": "en", "target_language": "es"},
        headers={"prefer": "wait=60"},
        timeout=90,
    )
    assert other.json()["status"] == "completed", other.text
    assert events(running, job["id"]) == before
    # and what was finished can be had
    left = running.client.get(f"{url}/artifacts").json()["artifacts"]
    assert all(one["partial"] for one in left)
    if stage == "synthesize":
        transcript = next(one for one in left if one["name"] == "partial/transcribe/0000/transcript.json")
        assert running.client.get(transcript["url"]).json()["segments"]
        # When it is retried after all, then it goes on from there
        assert running.client.post(f"{url}/retry").json()["run"] == 2
        assert running.until_ended(job["id"])["status"] == "completed"
        assert "segment" not in events(running, job["id"])[len(before) :]
        # and its subtitles are as narrow as was asked for
        subtitles = running.client.get(f"{url}/transcript.vtt").text
        assert max(len(line) for line in subtitles.splitlines() if "-->" not in line) in range(15, 25)
