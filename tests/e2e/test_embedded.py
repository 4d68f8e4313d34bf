"""The service without a broker: one command, a SQLite file and a folder."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.service import Service, clip, service
from tests.support.files import FileServer
from tests.support.receiver import SECRET, Receiver

REVOICED = {"type": "dub", "source_language": "en", "target_language": "en", "revoice": "true"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """`octavia serve` and nothing else; it may go to this machine, and logs all that it can."""
    folder = tmp_path_factory.mktemp("embedded")
    with service(folder, OCTAVIA_OUTBOUND_ALLOW="127.0.0.1", OCTAVIA_LOG_LEVEL="debug") as running:
        running.start_api()
        yield running


def test_one_command_serves_and_works(running: Service, tmp_path: Path) -> None:
    # When a recording is posted to be spoken again in another voice
    job = running.submit(clip(tmp_path), **REVOICED)
    status = running.until_ended(job["id"])

    # Then it completes, with audio in the format asked for by default
    assert status["status"] == "completed", status
    audio = running.client.get(f"/api/v1/jobs/{job['id']}/audio.wav").raise_for_status()
    assert audio.headers["content-type"] == "audio/wav"
    assert audio.content[:4] == b"RIFF"


def test_killed_workers_are_replaced_without_a_broker(running: Service, tmp_path: Path) -> None:
    # Given a job in the middle of its synthesis
    job = running.submit(clip(tmp_path), type="dub", target_language="es")
    running.until_started(job["id"], "synthesize")

    # When every worker is killed
    for child in running.children("api"):
        child.kill()

    # Then the job completes all the same
    assert running.until_ended(job["id"])["status"] == "completed"


def test_a_recording_by_its_address_is_dubbed_and_told_of(running: Service, tmp_path: Path) -> None:
    # Given a recording on a server that breaks off, and a receiver
    content = clip(tmp_path).read_bytes()
    with FileServer(content) as files, Receiver() as receiver:
        files.cuts = [len(content) // 2]

        # When a job names both
        wanted = {"type": "dub", "source_language": "en", "target_language": "es", "input_url": files.url}
        answer = running.client.post(
            "/api/v1/jobs", json=wanted | {"webhook_url": receiver.url, "webhook_secret": SECRET}
        )
        assert answer.status_code == 202, answer.text
        job_id = answer.json()["id"]
        status = running.until_ended(job_id)

        # Then it is dubbed, and each half was fetched once
        assert status["status"] == "completed", status
        job = running.client.get(f"/api/v1/jobs/{job_id}").json()
        assert (job["input"]["kind"], job["input"]["filename"]) == ("url", "the talk.flac")
        assert job["input"]["sha256"] == hashlib.sha256(content).hexdigest()
        assert [asked is None for asked, _ in files.asked] == [True, False]
        assert running.client.get(f"/api/v1/jobs/{job_id}/audio.wav").raise_for_status().content[:4] == b"RIFF"

        # And the receiver hears of it, in words that it can trust
        receiver.until(lambda: receiver.received)
        (received,) = receiver.received
        assert (received.type, received.data["id"]) == ("job.completed", job_id)
        url = f"/api/v1/jobs/{job_id}/webhooks"
        receiver.until(lambda: running.client.get(url).json()["webhooks"][0]["status"] == "delivered")

        # And no log holds what is secret about any of that, up to the line that is written last
        def logs() -> str:
            return "".join(path.read_text() for path in running.log_dir.iterdir())

        receiver.until(lambda: "webhook_sent" in logs())
        assert not [word for word in ("signature=", "token=", "whsec_") if word in logs()]
