"""Segments of one chunk to utterances, and each utterance into the target language."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from octavia.actors.engines import loaded
from octavia.actors.prepare import chunk_cues_name, chunk_text_name
from octavia.actors.transcribe import TRANSCRIPT
from octavia.errors import InputError
from octavia.jobs.tables.states import WRITTEN, Stage
from octavia.media.timeline import GAP
from octavia.text import cue_files
from octavia.text.edits import with_edits, with_known
from octavia.text.utterances import Utterance, next_starts, owned, sentences, words_of
from octavia.text.words import Segment, Word
from octavia.work import Work, current

UTTERANCES = "utterances.json"
BATCH = 16
_ALTERNATIVES = 6
_BYTES_A_SECOND = 13
"""Of a slow voice; how long a text takes to speak is known only when it has been spoken."""


def translate(job_id: str, run: int, chunk: int, format: int) -> None:
    """Translate the sentences that begin in this chunk, wherever they end."""
    work = current()
    written = work.job.input["kind"] in WRITTEN
    # Of a recording, as the models made them: where the last one ends is told by them.
    made = [] if written else _owned(work, chunk)
    utterances = written_utterances(work, chunk) if written else _mended(work, made, chunk)
    former = former_rows(work, UTTERANCES)
    if work.job.result_language != work.job.source_language:
        known = with_known(utterances, map(Utterance.from_dict, former.values()))
        new = {one.id: one for one in _translated(work, [one for one in known if one.translation is None])}
        utterances = [new.get(one.id, one) for one in known]
    rows = [utterance.to_dict() for utterance in utterances]
    if Stage.SYNTHESIZE in work.job.stages and not work.job.from_text:
        _add_timing(work, rows, _next_starts(work, utterances, made, chunk), former)
    work.save_json(UTTERANCES, rows)


def written_utterances(work: Work, chunk: int) -> list[Utterance]:
    """The cues of a chunk of subtitles, with their times; or its sentences, which keep the line they stood in."""
    if work.job.input["kind"] == "subtitles":
        rows = work.read_json(Stage.PREPARE, chunk_cues_name(chunk))
        return _mended(work, cue_files.utterances(rows, chunk=chunk), chunk)
    text = work.read(Stage.PREPARE, chunk_text_name(chunk)).getvalue().decode()
    return _mended(work, sentences(text, language=work.job.source_language, chunk=chunk), chunk)


def heard_utterances(work: Work, chunk: int) -> list[Utterance]:
    """The utterances that begin in a chunk of a recording, from its transcript and its neighbours'."""
    return _mended(work, _owned(work, chunk), chunk)


def heard_segments(work: Work, chunk: int) -> list[Segment]:
    """What the recogniser returned for a chunk of a recording."""
    rows: list[dict[str, Any]] = work.read_json(Stage.TRANSCRIBE, TRANSCRIPT, chunk=chunk)["segments"]
    return [Segment(**{**row, "words": tuple(Word(**word) for word in row["words"])}) for row in rows]


def _mended(work: Work, utterances: Sequence[Utterance], chunk: int) -> list[Utterance]:
    """With what people have mended of them.

    Raises:
      InputError: ``model_changed``: another release cuts what was said otherwise, and that would be of other lines.
    """
    mended = work.edits(chunk)
    made = {one.id: one.text for one in utterances}
    if any(made.get(id) != one.original.source for id, one in mended.items()):
        raise InputError(
            "This release cuts what was said into other lines than the one in which they were mended.",
            code="model_changed",
            hint="Retry the job from transcribe, which drops what was mended, and mend it anew.",
        )
    return with_edits(utterances, {id: one.edit for id, one in mended.items()})


def _owned(work: Work, chunk: int) -> list[Utterance]:
    before, words, after = (_heard_words(work, k) for k in (chunk - 1, chunk, chunk + 1))
    return owned(before, words or [], after, chunk=chunk, language=work.job.source_language)


def _heard_words(work: Work, chunk: int) -> list[Word] | None:
    return words_of(heard_segments(work, chunk)) if 0 <= chunk < (work.job.chunks_total or 0) else None


def former_rows(work: Work, name: str) -> dict[str, dict[str, Any]]:
    """What this stage left of the chunk's utterances, by id, before people mended some; nothing in any other run.

    Parameters:
      name: Of the file that has them.
    """
    rows = work.read_former(name) if work.job.mending else None
    return {row["id"]: row for row in rows or ()}


def _next_starts(
    work: Work, utterances: Sequence[Utterance], made: Sequence[Utterance], chunk: int
) -> list[float | None]:
    """When the next one after each starts of which something is said; None where that is not known yet.

    Parameters:
      made: The same as the models made them; none where nothing was heard.
    """
    if not utterances:
        return []
    total = work.job.duration or 0.0
    if work.job.input["kind"] not in WRITTEN:
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
    rows: Sequence[dict[str, Any]],
    untils: Sequence[float | None],
    former: Mapping[str, Mapping[str, Any]],
) -> None:
    """Add until when each may be spoken, and, likeliest first, shorter wordings of what may be too long for that.

    What people wrote themselves is spoken as they wrote it; of what they left alone the former wordings are taken.
    """
    fastest = float(work.job.options.get("speed") or 1.0) * work.settings.dub_max_rate
    crowded: list[dict[str, Any]] = []
    for row, until in zip(rows, untils, strict=True):
        row["until"] = until
        before = former.get(row["id"], {})
        if row["translation"] is None or until is None or "translation" in row["edited"]:
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
        found = loaded().translator(work).alternatives(texts, count=_ALTERNATIVES)
        for row, others in zip(crowded, found, strict=True):
            row["alternatives"] = [text for text in others if len(text) < len(row["translation"])]


def _translated(work: Work, utterances: Sequence[Utterance]) -> list[Utterance]:
    if not utterances:
        return []
    translator = loaded().translator(work)
    done: list[Utterance] = []
    for first in range(0, len(utterances), BATCH):
        batch = utterances[first : first + BATCH]
        texts = iter(translator.translate([utterance.text for utterance in batch if utterance.speech]))
        done += [replace(one, translation=next(texts)) if one.speech else one for one in batch]
        work.checkpoint(len(done) / len(utterances))
    return done
