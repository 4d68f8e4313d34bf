"""Read the input, cut it into chunks, and choose the models, so that each chunk can be processed by itself."""

from typing import Any

from octavia.actors.artifacts import chunk_name
from octavia.actors.engines import LoadedModels, pin_recognizer, pin_rest
from octavia.jobs.lifecycle import request_rules
from octavia.jobs.tables.records import ChunkPlan, Plan
from octavia.text import cue_files
from octavia.text.utterances import PIECE_CHARS, split_text, spoken_seconds
from octavia.work import Work


def prepare(work: Work, models: LoadedModels) -> None:
    """Plan the job: its chunks, language and models.

    Raises ``InputError`` if the input cannot be used or no model fits, ``ModelError`` if one cannot be installed.
    """
    plan = {"text": _plan_text, "subtitles": _plan_subtitles}.get(work.job.input["kind"], _plan_media)
    work.plan = plan(work, models)


def _plan_media(work: Work, models: LoadedModels) -> Plan:
    # Imported only now: a text needs no libraries of media, nor an HTTP client.
    from octavia.actors.cutting import cut

    released = work.released_chunks()
    return cut(work, _as_released(work) if released else _chosen(work, models), released)


def _as_released(work: Work) -> Plan:
    """The choice with which earlier attempts have released chunks: a job never mixes two."""
    job = work.job
    return Plan((), None, job.source_language, job.models, job.warnings)


def _chosen(work: Work, models: LoadedModels) -> Plan:
    """Choose models and language, as far as they are known before anything was heard."""
    warnings: list[dict[str, str]] = []
    language = work.job.source_language if work.job.source_language != "auto" else None
    pin, recogniser = pin_recognizer(models, work, language)
    pins: dict[str, Any] = {"speech": pin}
    if language is None and len(recogniser.languages) == 1:
        language = recogniser.languages[0]
        message = f"The installed recogniser {recogniser.id} only knows '{language}': taken as the language."
        warnings.append({"code": "language_assumed", "message": message})
    if language is not None:
        pins |= pin_rest(models, work, language)
    return Plan((), None, language, pins, tuple(warnings), needs_detect=language is None)


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
    from octavia.media.sandbox.parent import shared_sandbox

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
