"""Takes a job through its stages as workers do, with results that are really in storage."""

from uuid import UUID

from octavia.jobs import completion
from octavia.jobs.records import NewArtifact
from octavia.jobs.states import Stage
from octavia.storage import Storage
from tests.integration.jobs.steps import DAYS, HOPELESS, Steps

RESULTS = {
    "transcript.txt": ("text/plain; charset=utf-8", b"Hello.\n"),
    "transcript.srt": ("application/x-subrip", b"1\n00:00:00,000 --> 00:00:01,000\nHello.\n"),
    "translation.vtt": ("text/vtt", "WEBVTT\n\n¡Hola!\n".encode()),
    "dub.wav": ("audio/wav", bytes(range(256)) * 4096),
}


def complete(steps: Steps, storage: Storage, job_id: UUID) -> None:
    """Do every task; assembling stores ``RESULTS``."""
    while messages := steps.deliver():
        for ref, message in messages.items():
            claim = steps.claim(ref)
            if ref.stage is not Stage.ASSEMBLE:
                assert steps.complete(claim, message)
                continue
            artifacts = []
            for name, (media_type, data) in RESULTS.items():
                written = storage.put(f"jobs/{job_id}/r{ref.run}/job/assemble/a{claim.attempt}/{name}", data)
                artifacts.append(NewArtifact(name, media_type, written.size, written.sha256, written.key, True))
            assert completion.complete(steps.db, claim, artifacts=artifacts, handover=None, retention_days=DAYS)


def fail(steps: Steps) -> None:
    """Have the first task that is due fail for good."""
    (ref, *_) = steps.deliver()
    steps.fail(steps.claim(ref), HOPELESS)
