"""Takes a job through its stages as workers do, with results that are really in storage."""

from uuid import UUID

from octavia import subtitles
from octavia.jobs.protocol import completion
from octavia.jobs.tables.records import NewArtifact
from octavia.storage import Storage
from octavia.text.transcripts import Transcript
from octavia.text.utterances import Utterance
from octavia.text.words import Segment, Word
from tests.integration.jobs.steps import HOPELESS, Steps, writes_results

TEXT = "Hello to all of you, it is good to be back."
WORDS = tuple(Word(n * 0.5, n * 0.5 + 0.4, f" {word}", 0.75) for n, word in enumerate(TEXT.split()))
SAID = Utterance("0-0", 0, 0.0, 6.0, TEXT, "¡Hola a todos!", WORDS)
HEARD = Segment(0.0, 6.0, SAID.text, WORDS, avg_logprob=-0.25, no_speech_prob=0.01)
TRANSCRIPT = Transcript((SAID,), False, "en", 6.25, (HEARD,))
TRANSLATION = Transcript((SAID,), True, "es", 6.25)

KEPT_TIME = {
    "utterances": 1,
    "on_time": 1.0,
    "fitted": 1.0,
    "mean_lateness": 0.0,
    "worst_lateness": 0.0,
    "mean_rate": 1.1,
    "worst_rate": 1.1,
}


def _text(name: str, transcript: Transcript) -> dict[str, tuple[str, bytes]]:
    return {
        f"{name}.{format}": (subtitles.MEDIA_TYPES[format], subtitles.write(format, transcript).encode())
        for format in subtitles.FORMATS
    }


RESULTS = {
    **_text("transcript", TRANSCRIPT),
    **_text("translation", TRANSLATION),
    "dub.wav": ("audio/wav", bytes(range(256)) * 4096),
    "video.mp4": ("video/mp4", b"moving pictures" * 100),
}


def complete(steps: Steps, storage: Storage, job_id: UUID, *, without: tuple[str, ...] = ()) -> None:
    """Do every task; the last stores ``RESULTS``, but for those whose names begin with one of ``without``."""
    while messages := steps.deliver():
        for ref, message in messages.items():
            claim = steps.claim(ref)
            if not writes_results(claim):
                assert steps.complete(claim, message)
                continue
            artifacts = []
            for name, (media_type, data) in RESULTS.items():
                if name.startswith(without):
                    continue
                written = storage.put(f"jobs/{job_id}/r{ref.run}/job/assemble/a{claim.attempt}/{name}", data)
                artifacts.append(NewArtifact(name, media_type, written.size, written.sha256, written.key, True))
            assert completion.complete(steps.db, claim, artifacts=artifacts, handover=None, dub=KEPT_TIME)


def fail(steps: Steps) -> None:
    """Have the first task that is due fail for good."""
    (ref, *_) = steps.deliver()
    steps.fail(steps.claim(ref), HOPELESS)
