"""The service without a broker: one command, a SQLite file and a folder."""

from pathlib import Path

from tests.e2e.service import clip, service

REVOICED = {"type": "dub", "source_language": "en", "target_language": "en", "revoice": "true"}


def test_one_command_serves_and_works(tmp_path: Path) -> None:
    # Given `octavia serve` and nothing else
    with service(tmp_path) as running:
        running.start_api()

        # When a recording is posted to be spoken again in another voice
        job = running.submit(clip(tmp_path), **REVOICED)
        status = running.until_ended(job["id"])

        # Then it completes, with audio in the format asked for by default
        assert status["status"] == "completed", status
        audio = running.client.get(f"/api/v1/jobs/{job['id']}/audio.wav").raise_for_status()
        assert audio.headers["content-type"] == "audio/wav"
        assert audio.content[:4] == b"RIFF"


def test_killed_workers_are_replaced_without_a_broker(tmp_path: Path) -> None:
    # Given a job in the middle of its synthesis
    with service(tmp_path) as running:
        running.start_api()
        job = running.submit(clip(tmp_path), type="dub", target_language="es")
        running.until(job["id"], lambda status: status["stage"] == "synthesize", seconds=90)

        # When every worker is killed
        for child in running.children("api"):
            child.kill()

        # Then the job completes all the same
        assert running.until_ended(job["id"])["status"] == "completed"
