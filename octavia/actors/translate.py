"""Segments of one chunk to utterances, and each utterance into the target language."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from octavia import cue_files
from octavia.actors.models import loaded
from octavia.actors.prepare import chunk_cues_name, chunk_text_name
from octavia.actors.transcribe import TRANSCRIPT
from octavia.edits import apply, with_known
from octavia.engines.types import Segment, Word
from octavia.jobs.states import WRITTEN, Stage
from octavia.utterances import Utterance, owned, sentences, words_of
from octavia.work import Work, current

UTTERANCES = "utterances.json"
BATCH = 16


def translate(job_id: str, run: int, chunk: int, format: int) -> None:
    """Translate the sentences that begin in this chunk, wherever they end."""
    work = current()
    written = work.job.input["kind"] in WRITTEN
    utterances = written_utterances(work, chunk) if written else heard_utterances(work, chunk)
    if work.job.result_language != work.job.source_language:
        known = with_known(utterances, _former(work))
        new = {one.id: one for one in _translated(work, [one for one in known if one.translation is None])}
        utterances = [new.get(one.id, one) for one in known]
    work.save_json(UTTERANCES, [utterance.to_dict() for utterance in utterances])


def written_utterances(work: Work, chunk: int) -> list[Utterance]:
    """The cues of a chunk of subtitles, with their times; or its sentences, which keep the line they stood in."""
    if work.job.input["kind"] == "subtitles":
        rows = work.read_json(Stage.PREPARE, chunk_cues_name(chunk))
        return apply(cue_files.utterances(rows, chunk=chunk), work.edits(chunk))
    text = work.read(Stage.PREPARE, chunk_text_name(chunk)).getvalue().decode()
    return apply(sentences(text, language=work.job.source_language, chunk=chunk), work.edits(chunk))


def heard_utterances(work: Work, chunk: int) -> list[Utterance]:
    """The utterances that begin in a chunk of a recording, from its transcript and its neighbours'."""
    total = work.job.chunks_total or 0
    neighbours = [words_of(heard_segments(work, k)) if 0 <= k < total else None for k in (chunk - 1, chunk, chunk + 1)]
    heard = owned(neighbours[0], neighbours[1] or [], neighbours[2], chunk=chunk, language=work.job.source_language)
    return apply(heard, work.edits(chunk))


def heard_segments(work: Work, chunk: int) -> list[Segment]:
    """What the recogniser returned for a chunk of a recording."""
    rows: list[dict[str, Any]] = work.read_json(Stage.TRANSCRIBE, TRANSCRIPT, chunk=chunk)["segments"]
    return [Segment(**{**row, "words": tuple(Word(**word) for word in row["words"])}) for row in rows]


def _former(work: Work) -> list[Utterance]:
    """The chunk's utterances as they were before people mended some of them; none in any other run."""
    rows = work.read_former(UTTERANCES) if work.job.mending else None
    return [Utterance.from_dict(row) for row in rows or ()]


def _translated(work: Work, utterances: Sequence[Utterance]) -> list[Utterance]:
    if not utterances:
        return []
    translator = loaded().translator(work)
    done: list[Utterance] = []
    for first in range(0, len(utterances), BATCH):
        batch = utterances[first : first + BATCH]
        texts = translator.translate([utterance.text for utterance in batch])
        done += [replace(utterance, translation=text) for utterance, text in zip(batch, texts, strict=True)]
        work.checkpoint(len(done) / len(utterances))
    return done
