"""Read the input, cut it into chunks, and choose the models, so that each chunk can be processed by itself."""

from contextlib import closing
from pathlib import Path
from typing import Any

from octavia import tracing
from octavia.actors.engines import LoadedModels, pin_recognizer, pin_rest
from octavia.actors.fetch import recording
from octavia.actors.sound import choose_sound
from octavia.engines.types import SPEECH_RATE
from octavia.jobs.lifecycle import request_rules
from octavia.jobs.tables.records import ChunkPlan, Plan
from octavia.media.encode import flac
from octavia.media.formats import FORMATS
from octavia.media.sandbox.parent import shared_sandbox
from octavia.media.split import split
from octavia.text import cue_files
from octavia.text.utterances import PIECE_CHARS, split_text, spoken_seconds
from octavia.work import Work


def prepare(work: Work, models: LoadedModels) -> None:
    """Plan the job: its chunks, language and models.

    Raises ``InputError`` if the input cannot be used or no model fits, ``ModelError`` if one cannot be installed.
    """
    plan = {"text": _plan_text, "subtitles": _plan_subtitles}.get(work.job.input["kind"], _plan_media)
    work.plan = plan(work, models)


def chunk_name(index: int, suffix: str) -> str:
    """The name of the artifact with a chunk's audio (``flac``, mono at 16 kHz), text (``txt``) or cues (``json``)."""
    return f"chunk-{index:05d}.{suffix}"


def _plan_media(work: Work, models: LoadedModels) -> Plan:
    pins: dict[str, Any] = {}
    warnings: list[dict[str, str]] = []
    language = work.job.source_language if work.job.source_language != "auto" else None
    pins["speech"], recogniser = pin_recognizer(models, work, language)
    if language is None and len(recogniser.languages) == 1:
        language = recogniser.languages[0]
        message = f"The installed recogniser {recogniser.id} only knows '{language}': taken as the language."
        warnings.append({"code": "language_assumed", "message": message})
    if language is not None:
        pins |= pin_rest(models, work, language)
    chunks, heard = _cut(work)
    return Plan(
        chunks=tuple(chunks),
        duration=chunks[-1].start + chunks[-1].seconds if chunks else 0.0,
        language=language,
        models=pins,
        warnings=(*warnings, *heard),
        needs_detect=language is None,
    )


def _check_is_recording(path: Path, name: str | None) -> None:
    """Refuse subtitles that came from an address; those that were uploaded have been refused then."""
    with path.open("rb") as file:
        cue_files.refuse_recording(file.read(cue_files.HEAD), name)


def _cut(work: Work) -> tuple[list[ChunkPlan], list[dict[str, str]]]:
    """Decode once, streaming and in the sandbox, and store each chunk as a file; returns the chunks, and warnings."""
    plans: list[ChunkPlan] = []
    sandbox = shared_sandbox()
    longest = work.settings.max_media_seconds
    with work.storage.local_path(recording(work)) as path:
        _check_is_recording(path, work.job.input.get("filename"))
        with tracing.span("probe"):
            found = sandbox.probe(path)
        track, warnings = choose_sound(work, found.sounds)
        with (
            tracing.span("decode") as span,
            closing(sandbox.decode(path, rate=SPEECH_RATE, longest=longest, track=track)) as blocks,
        ):
            for chunk in split(blocks, rate=SPEECH_RATE, longest=work.settings.chunk_seconds):
                seconds = len(chunk.samples) / SPEECH_RATE
                audio = flac(chunk.samples, SPEECH_RATE)
                work.save(chunk_name(chunk.index, "flac"), audio, FORMATS["flac"].media_type)
                plans.append(ChunkPlan(chunk.index, chunk.start, seconds))
                # Joined recordings say wrong lengths.
                work.checkpoint(min(1.0, (chunk.start + seconds) / found.duration) if found.duration else 0.0)
            span.note({"octavia.chunks": len(plans)})
    work.save_json("chunks.json", [{"start": plan.start, "seconds": plan.seconds} for plan in plans])
    return plans, warnings


def _plan_text(work: Work, models: LoadedModels) -> Plan:
    job = work.job
    request_rules.check_text_language(job.source_language)
    text = job.input["text"] if job.in_one_piece else work.storage.get(job.input["key"]).decode("utf-8")
    pieces = split_text(text, language=job.source_language, longest=PIECE_CHARS)
    for index, piece in enumerate(pieces):
        work.save(chunk_name(index, "txt"), piece.encode(), "text/plain; charset=utf-8")
    return Plan(
        # A text has no duration.
        chunks=tuple(ChunkPlan(index, 0.0, spoken_seconds(piece)) for index, piece in enumerate(pieces)),
        duration=None,
        language=job.source_language,
        models=pin_rest(models, work, job.source_language),
        warnings=(),
    )


def _plan_subtitles(work: Work, models: LoadedModels) -> Plan:
    job, settings = work.job, work.settings
    request_rules.check_text_language(job.source_language)
    cue_files.check_size(job.input["size"], most_chars=settings.max_text_chars)
    with work.storage.local_path(job.input["key"]) as path:
        given = shared_sandbox().read_cues(
            path,
            job.input["format"],
            longest_seconds=settings.max_media_seconds,
            most_chars=settings.max_text_chars,
            language=job.source_language,
        )
    cues = given.cues
    groups = cue_files.chunks(cues, most_chars=PIECE_CHARS)
    for index, group in enumerate(groups):
        work.save_json(chunk_name(index, "json"), cue_files.to_rows(group))
    return Plan(
        chunks=tuple(
            ChunkPlan(index, group[0].start, sum(cue.end - cue.start for cue in group))
            for index, group in enumerate(groups)
        ),
        duration=max(cue.end for cue in cues),
        language=job.source_language,
        models=pin_rest(models, work, job.source_language),
        warnings=given.warnings,
    )
