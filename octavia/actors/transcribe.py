"""Recognise the speech of one chunk: segments with times of words."""

from dataclasses import asdict, replace
from typing import Any

from octavia import tracing
from octavia.actors.artifacts import TRANSCRIPT, chunk_name
from octavia.actors.engines import MODEL, LoadedModels
from octavia.engines.types import SPEECH_RATE
from octavia.jobs.tables.records import HeardSegment
from octavia.jobs.tables.states import Stage
from octavia.media.encode import read_audio
from octavia.text.words import Segment
from octavia.work import Work


def transcribe(work: Work, models: LoadedModels) -> None:
    """Recognise one chunk, with times from the start of the recording. Those who watch the job get each segment."""
    chunk = work.claim.ref.chunk
    start = round(work.chunk_start() * SPEECH_RATE) / SPEECH_RATE
    samples, rate = read_audio(work.read(Stage.PREPARE, chunk_name(chunk, "flac")))
    seconds = len(samples) / rate
    options = work.job.options
    segments: list[dict[str, Any]] = []
    recogniser = models.recognizer(work)
    with tracing.span("recognise", {MODEL: work.job.models["speech"]["id"], "octavia.media_seconds": seconds}):
        for segment in recogniser.transcribe(
            samples,
            language=work.job.source_language,
            beam_size=options.get("beam_size") or 5,
            prompt=options.get("vocabulary"),
        ):
            moved = _moved(segment, start)
            work.unreported.append(HeardSegment(len(segments), moved.start, moved.end, moved.text))
            segments.append(asdict(moved))
            work.checkpoint(segment.end / seconds)
    work.save_json(TRANSCRIPT, {"segments": segments})


def _moved(segment: Segment, offset: float) -> Segment:
    words = tuple(replace(word, start=word.start + offset, end=word.end + offset) for word in segment.words)
    return replace(segment, start=segment.start + offset, end=segment.end + offset, words=words)
