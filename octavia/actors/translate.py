"""Make utterances from one chunk's segments, and translate each into the target language."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from octavia import tracing
from octavia.actors.artifacts import TRANSCRIPT, UTTERANCES, chunk_name
from octavia.actors.engines import MODEL, LoadedModels
from octavia.errors import InputError
from octavia.jobs.tables.states import TEXT_KINDS, Stage
from octavia.media.timeline import GAP
from octavia.text import cue_files
from octavia.text.dialogue import turns
from octavia.text.edits import with_edits, with_known
from octavia.text.utterances import Utterance, next_starts, owned, sentences, words_of
from octavia.text.words import Segment, Word
from octavia.work import Work

BATCH = 16
_BYTES_A_SECOND = 13
"""UTF-8 bytes that a slow voice speaks in a second, to estimate a duration before anything is spoken."""


def translate(work: Work, models: LoadedModels) -> None:
    """Translate the sentences that begin in this chunk, wherever they end; ``model_changed`` if edits do not fit."""
    chunk = work.claim.ref.chunk
    written = work.job.input["kind"] in TEXT_KINDS
    # A recording's utterances before edits, which tell where the last one ends.
    made = [] if written else _owned(work, chunk)
    utterances = written_utterances(work, chunk) if written else _edited(work, made, chunk)
    former = former_rows(work, UTTERANCES)
    if work.job.result_language != work.job.source_language:
        known = with_known(utterances, map(Utterance.from_dict, former.values()))
        new = {one.id: one for one in _translated(work, models, [one for one in known if one.translation is None])}
        utterances = [new.get(one.id, one) for one in known]
    rows = [utterance.to_dict() for utterance in utterances]
    if Stage.SYNTHESIZE in work.job.stages and not work.job.from_text:
        _add_timing(work, models, rows, _next_starts(work, utterances, made, chunk), former)
    work.save_json(UTTERANCES, rows)


def written_utterances(work: Work, chunk: int) -> list[Utterance]:
    """The edited utterances of a chunk of subtitles (its cues, with times) or of a text (its sentences)."""
    if work.job.input["kind"] == "subtitles":
        rows = work.read_json(Stage.PREPARE, chunk_name(chunk, "json"))
        return _edited(work, cue_files.utterances(rows, chunk=chunk), chunk)
    if work.job.in_one_piece:
        text = work.job.input["text"].strip()
    else:
        text = work.read(Stage.PREPARE, chunk_name(chunk, "txt")).getvalue().decode()
    return _edited(work, sentences(text, language=work.job.source_language, chunk=chunk), chunk)


def heard_utterances(work: Work, chunk: int) -> list[Utterance]:
    """The edited utterances that begin in a chunk of a recording, from its transcript and its neighbours'."""
    return _edited(work, _owned(work, chunk), chunk)


def heard_segments(work: Work, chunk: int) -> list[Segment]:
    """The segments that the recogniser returned for a chunk of a recording."""
    rows: list[dict[str, Any]] = work.read_json(Stage.TRANSCRIBE, TRANSCRIPT, chunk=chunk)["segments"]
    return [Segment(**{**row, "words": tuple(Word(**word) for word in row["words"])}) for row in rows]


def _edited(work: Work, utterances: Sequence[Utterance], chunk: int) -> list[Utterance]:
    """Apply people's edits.

    Raises:
      InputError: ``model_changed``; this release cuts the speech into other lines than those that were edited.
    """
    edits = work.edits(chunk)
    made = {one.id: one.text for one in utterances}
    if any(made.get(id) != one.original.source for id, one in edits.items()):
        raise InputError(
            "This release cuts the speech into other lines than the release in which they were edited.",
            code="model_changed",
            hint="Retry the job from transcribe, which drops the edits, and make them again.",
        )
    return with_edits(utterances, {id: one.edit for id, one in edits.items()})


def _owned(work: Work, chunk: int) -> list[Utterance]:
    before, words, after = (_heard_words(work, k) for k in (chunk - 1, chunk, chunk + 1))
    return owned(before, words or [], after, chunk=chunk, language=work.job.source_language)


def _heard_words(work: Work, chunk: int) -> list[Word] | None:
    # While more chunks may come, no chunk is translated before the one after it is there.
    total = work.job.chunks_total
    exists = chunk >= 0 and (total is None or chunk < total)
    return words_of(heard_segments(work, chunk)) if exists else None


def former_rows(work: Work, name: str) -> dict[str, dict[str, Any]]:
    """The rows of the artifact that this stage left for the chunk before the edits of this run, by utterance id.

    Empty if the run carries out no edits.
    """
    rows = work.read_former(name) if work.job.mending else None
    return {row["id"]: row for row in rows or ()}


def _next_starts(
    work: Work, utterances: Sequence[Utterance], made: Sequence[Utterance], chunk: int
) -> list[float | None]:
    """The start of the next utterance with speech after each of ``utterances``, in seconds; None if not known yet.

    ``made`` are a recording's utterances before edits.
    """
    if not utterances:
        return []
    total = work.job.duration or 0.0
    if work.job.input["kind"] not in TEXT_KINDS:
        after = next_starts(made, _heard_words(work, chunk + 1), total=total)[-1]
    elif chunk + 1 == work.job.chunks_total:
        after = total
    else:
        after = written_utterances(work, chunk + 1)[0].start
    starts: list[float | None] = []
    for utterance in reversed(utterances):
        starts.append(None if after is None else round(after, 3))
        after = utterance.start if utterance.said else after
    return starts[::-1]


def _add_timing(
    work: Work,
    models: LoadedModels,
    rows: Sequence[dict[str, Any]],
    untils: Sequence[float | None],
    former: Mapping[str, Mapping[str, Any]],
) -> None:
    """Add the time until when each row may be spoken, and shorter wordings, likeliest first, if it may be too long.

    A translation that people wrote is spoken as it is. Rows without edits keep the wordings of the run before.
    """
    fastest = float(work.job.options.get("speed") or 1.0) * work.settings.dub_max_rate
    crowded: list[dict[str, Any]] = []
    for row, until in zip(rows, untils, strict=True):
        row["until"] = until
        before = former.get(row["id"], {})
        if row["translation"] is None or until is None or "translation" in row["edited"] or "\n" in row["text"]:
            continue
        same = all(before.get(name) == row[name] for name in ("text", "translation", "start", "until"))
        if same and "translation" not in before["edited"]:
            row["alternatives"] = before.get("alternatives", [])
            continue
        seconds = len(row["translation"].encode()) / (_BYTES_A_SECOND * fastest)
        if seconds > until - row["start"] - GAP:
            crowded.append(row)
    if crowded:
        texts = [row["text"] for row in crowded]
        translator = models.translator(work)
        with tracing.span("find shorter wordings", {"octavia.texts": len(texts)}):
            found = translator.alternatives(texts, count=6)
        for row, others in zip(crowded, found, strict=True):
            row["alternatives"] = [text for text in others if len(text) < len(row["translation"])]


def _translated(work: Work, models: LoadedModels, utterances: Sequence[Utterance]) -> list[Utterance]:
    if not utterances:
        return []
    translator = models.translator(work)
    pins = [pin["id"] for pin in work.job.models["translation"]]
    done: list[Utterance] = []
    for first in range(0, len(utterances), BATCH):
        batch = utterances[first : first + BATCH]
        lines = {one.id: turns(one.text) for one in batch if one.speech}
        given = [words for said in lines.values() for _, words in said if words]
        with tracing.span("translate", {MODEL: ",".join(pins), "octavia.texts": len(given)}):
            texts = iter(translator.translate(given))
        for one in batch:
            translated = [dash + (next(texts) if words else "") for dash, words in lines.get(one.id, ())]
            done.append(replace(one, translation="\n".join(translated)) if one.speech else one)
        work.checkpoint(len(done) / len(utterances))
    return done
