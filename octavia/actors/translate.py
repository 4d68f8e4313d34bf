"""Segments of one chunk to utterances, and each utterance into the target language."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from octavia.actors.models import loaded
from octavia.actors.prepare import chunk_text_name
from octavia.actors.transcribe import TRANSCRIPT
from octavia.engines.types import Segment, Word
from octavia.jobs.states import Stage, chunk_stages
from octavia.media.timeline import GAP
from octavia.utterances import Utterance, next_starts, owned, sentences, words_of
from octavia.work import Work, current

UTTERANCES = "utterances.json"
BATCH = 16
_ALTERNATIVES = 6
_BYTES_A_SECOND = 13
"""Of a slow voice; how long a text takes to speak is known only when it has been spoken."""


def translate(job_id: str, run: int, chunk: int, format: int) -> None:
    """Translate the sentences that begin in this chunk, wherever they end."""
    work = current()
    from_text = work.job.input["kind"] == "text"
    utterances = text_utterances(work, chunk) if from_text else heard_utterances(work, chunk)
    if work.job.result_language != work.job.source_language:
        utterances = _translated(work, utterances)
    rows = [utterance.to_dict() for utterance in utterances]
    if not from_text and Stage.SYNTHESIZE in chunk_stages(work.job.type, from_text=False):
        _add_timing(work, rows, _next_starts(work, utterances, chunk))
    work.save_json(UTTERANCES, rows)


def text_utterances(work: Work, chunk: int) -> list[Utterance]:
    """The sentences of a text job's chunk; they have no times, and keep the line they stood in."""
    text = work.read(Stage.PREPARE, chunk_text_name(chunk)).getvalue().decode()
    return sentences(text, language=work.job.source_language, chunk=chunk)


def heard_utterances(work: Work, chunk: int) -> list[Utterance]:
    """The utterances that begin in a chunk of a recording, from its transcript and its neighbours'."""
    before, words, after = (_heard_words(work, k) for k in (chunk - 1, chunk, chunk + 1))
    return owned(before, words or [], after, chunk=chunk, language=work.job.source_language)


def heard_segments(work: Work, chunk: int) -> list[Segment]:
    """What the recogniser returned for a chunk of a recording."""
    rows: list[dict[str, Any]] = work.read_json(Stage.TRANSCRIBE, TRANSCRIPT, chunk=chunk)["segments"]
    return [Segment(**{**row, "words": tuple(Word(**word) for word in row["words"])}) for row in rows]


def _heard_words(work: Work, chunk: int) -> list[Word] | None:
    return words_of(heard_segments(work, chunk)) if 0 <= chunk < (work.job.chunks_total or 0) else None


def _next_starts(work: Work, utterances: Sequence[Utterance], chunk: int) -> list[float | None]:
    starts = next_starts(utterances, _heard_words(work, chunk + 1), total=work.job.duration or 0.0)
    return [None if start is None else round(start, 3) for start in starts]


def _add_timing(work: Work, rows: Sequence[dict[str, Any]], untils: Sequence[float | None]) -> None:
    """Add until when each may be spoken, and, likeliest first, shorter wordings of what may be too long for that."""
    fastest = float(work.job.options.get("speed") or 1.0) * work.settings.dub_max_rate
    crowded: list[dict[str, Any]] = []
    for row, until in zip(rows, untils, strict=True):
        row["until"] = until
        if row["translation"] is not None and until is not None:
            seconds = len(row["translation"].encode()) / (_BYTES_A_SECOND * fastest)
            if seconds > until - row["start"] - GAP:
                crowded.append(row)
    if crowded:
        texts = [row["text"] for row in crowded]
        found = loaded().translator(work).alternatives(texts, count=_ALTERNATIVES)
        for row, others in zip(crowded, found, strict=True):
            row["alternatives"] = [text for text in others if len(text) < len(row["translation"])]


def _translated(work: Work, utterances: Sequence[Utterance]) -> list[Utterance]:
    translator = loaded().translator(work)
    done: list[Utterance] = []
    for first in range(0, len(utterances), BATCH):
        batch = utterances[first : first + BATCH]
        texts = iter(translator.translate([utterance.text for utterance in batch if utterance.speech]))
        done += [replace(one, translation=next(texts)) if one.speech else one for one in batch]
        work.checkpoint(len(done) / len(utterances))
    return done
