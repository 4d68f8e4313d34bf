"""Detect the spoken language, once per job, before any chunk runs."""

from octavia import tracing
from octavia.actors.artifacts import chunk_name
from octavia.actors.engines import MODEL, LoadedModels, pin_rest
from octavia.engines.types import Detection
from octavia.jobs.tables.records import Detected
from octavia.jobs.tables.states import Stage
from octavia.media.encode import read_audio
from octavia.work import Work

WINDOWS = 3


def detect(work: Work, models: LoadedModels) -> None:
    """Find the job's language and, with it, its other models; raises as ``pin_rest``."""
    best = max(_heard(work, models), key=lambda found: found.probability)
    work.detected = Detected(best.language, pin_rest(models, work, best.language))


def _heard(work: Work, models: LoadedModels) -> list[Detection]:
    """Listen to a few chunks spread over the recording."""
    chunks = work.read_json(Stage.PREPARE, "chunks.json")
    step = max(1, len(chunks) // WINDOWS)
    recogniser = models.recognizer(work)
    heard = []
    for number, index in enumerate(range(0, len(chunks), step)[:WINDOWS]):
        samples, _ = read_audio(work.read(Stage.PREPARE, chunk_name(index, "flac")))
        with tracing.span("detect language", {MODEL: work.job.models["speech"]["id"]}):
            heard.append(recogniser.detect(samples))
        work.checkpoint((number + 1) / WINDOWS)
    return heard
