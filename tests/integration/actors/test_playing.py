"""A real dub is heard over HTTP while it is made, and is the one that is assembled in the end."""

import threading
from pathlib import Path
from typing import Any

import httpx

from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.states import JobStatus, JobType
from octavia.local import LocalService
from tests.integration.actors.test_pipeline import SAMPLE, hear, settings, word_error_rate
from tests.integration.api.server import Server


def test_a_dub_is_heard_while_it_is_made(tmp_path: Path) -> None:
    # Given an English recording in several chunks, which is to be spoken again
    given = settings(tmp_path, chunk_seconds=10)
    with LocalService(given, slots=2) as service, Server(given) as api:
        new = NewJob(JobType.DUB, source_language="en", target_language="en", options={"revoice": True})
        job = service.submit(new, SAMPLE)
        url = f"http://127.0.0.1:{api.port}/api/v1/jobs/{job.id}"
        played: dict[str, Any] = {"sound": b"", "status": None}

        def play() -> None:
            with httpx.stream("GET", f"{url}/audio", timeout=300) as answer:
                for block in answer.iter_bytes():
                    played["status"] = played["status"] or httpx.get(url).json()["status"]
                    played["sound"] += block

        # When somebody listens from the moment of its submission
        player = threading.Thread(target=play)
        player.start()
        ended = service.wait(job.id, lambda *_: None)
        player.join(60)
        assert ended.status is JobStatus.COMPLETED, ended.error
        service.export(job.id, tmp_path / "out")
    # Then they heard it before it was done
    assert played["status"] == "processing"
    # And what they heard is what the dub says
    heard = tmp_path / "heard.aac"
    heard.write_bytes(played["sound"])
    assert word_error_rate(hear(tmp_path / "out" / "dub.wav"), hear(heard)) <= 0.10
