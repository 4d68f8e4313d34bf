"""Speak the utterances of one chunk, each into a file that is kept and reused."""

import hashlib
import io
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from octavia import tracing
from octavia.actors.artifacts import UTTERANCES
from octavia.actors.engines import MODEL, LoadedModels, voice_pin
from octavia.actors.preview import save_preview
from octavia.actors.timing import rates_of
from octavia.actors.translate import former_rows, written_utterances
from octavia.engines.types import Audio
from octavia.engines.voices.silence import trim
from octavia.errors import NotFound
from octavia.jobs.status.preview import SPEECH
from octavia.jobs.tables.states import Stage
from octavia.media.encode import flac, read_audio
from octavia.media.fitting import Fitter, choose
from octavia.media.formats import FORMATS
from octavia.media.timeline import Placement
from octavia.storage import StoredObject
from octavia.text.utterances import Utterance
from octavia.work import Work

_KEPT_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class _Speech:
    """A spoken text in storage, and its sound."""

    stored: StoredObject
    audio: Audio

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.audio.duration


def synthesize(work: Work, models: LoadedModels) -> None:
    """Speak one chunk's utterances."""
    rows = _rows(work, work.claim.ref.chunk)
    former = former_rows(work, SPEECH)
    fitter = Fitter(rates_of(work))
    index = []
    placements: list[Placement] = []
    sounds: list[Audio] = []
    for number, row in enumerate(rows):
        utterance, speech = _spoken_in_time(work, models, _as_before(row, former), fitter, number / len(rows))
        if speech is not None:
            work.reuse(speech_name(utterance), speech.stored, FORMATS["flac"].media_type)
            placements.append(fitter.place(utterance.start, utterance.end, speech.seconds, _until(row)))
            sounds.append(speech.audio)
        index.append({**utterance.to_dict(), "seconds": speech.seconds if speech else 0.0})
        work.checkpoint((number + 1) / len(rows))
    # The dub of a single chunk follows at once.
    if work.job.chunks_total != 1:
        save_preview(work, placements, sounds)
    work.save_json(SPEECH, index)


def speech_name(utterance: Utterance) -> str:
    """The name of the artifact with an utterance's audio."""
    return f"{utterance.id}.flac"


def _rows(work: Work, chunk: int) -> list[dict[str, Any]]:
    if Stage.TRANSLATE in work.job.stages:
        return list(work.read_json(Stage.TRANSLATE, UTTERANCES, chunk=chunk))
    return [utterance.to_dict() for utterance in written_utterances(work, chunk)]


def _until(row: Mapping[str, Any]) -> float:
    """The time until when a row may be spoken. A text has no times, and rows that an older release left have none."""
    until = row.get("until")
    return math.inf if until is None else float(until)


def _as_before(row: dict[str, Any], former: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The row in the wording that was spoken before edits to other lines, unless it was changed itself."""
    before = former.get(row["id"], {})
    wordings = (row["translation"], *row.get("alternatives", ()))
    same = all(before.get(name) == row[name] for name in ("text", "start", "end", "voice", "edited"))
    if not same or "translation" in row["edited"] or before["translation"] not in wordings:
        return row
    return {**row, "translation": before["translation"], "alternatives": []}


def _spoken_in_time(
    work: Work, models: LoadedModels, row: Mapping[str, Any], fitter: Fitter, done: float
) -> tuple[Utterance, _Speech | None]:
    """Speak an utterance, in a shorter wording if it would be too long for its time and there is one.

    Parameters:
      done: Share of the task (0–1) that was done before it.
    """
    utterance = Utterance.from_dict(row)
    if not utterance.said:
        return utterance, None
    until = row.get("until")
    if until is None:
        return utterance, _speak_once(work, models, utterance)

    def spoken() -> Iterator[tuple[Utterance, _Speech]]:
        yield utterance, _speak_once(work, models, utterance)
        for text in row.get("alternatives", ()):
            work.checkpoint(done)
            other = replace(utterance, translation=text)
            yield other, _speak_once(work, models, other)

    room = fitter.room(utterance.start, until)
    wording, speech = choose(spoken(), lambda version: version[1].seconds, room=room, rates=fitter.rates)
    return wording, speech


def _speak_once(work: Work, models: LoadedModels, utterance: Utterance) -> _Speech:
    """Speak an utterance, unless the job has that speech already: its key is a hash of everything that shapes it."""
    text = utterance.said
    voices = work.job.options.get("voices") or {}
    pin = voice_pin(models, work, utterance.voice or voices.get(utterance.speaker))
    speed = float(work.job.options.get("speed") or 1.0)
    recipe = json.dumps([text, pin["voice"], pin["sha256"], speed], ensure_ascii=False)
    key = f"jobs/{work.job.id}/speech/{hashlib.sha256(recipe.encode()).hexdigest()}.flac"
    with suppress(NotFound):
        data = work.storage.get(key)
        samples, rate = read_audio(io.BytesIO(data))
        return _Speech(StoredObject(key, len(data), hashlib.sha256(data).hexdigest()), Audio(samples, rate))
    voice = models.voice(work, pin)
    with tracing.span("synthesize", {MODEL: pin["id"], "octavia.characters": len(text)}):
        audio = voice.synthesize(text, speed=speed)
    if not work.job.from_text:
        # Speech with silence at its start would be late.
        audio = Audio(trim(audio.samples, audio.rate, seconds=_KEPT_SECONDS), audio.rate)
    return _Speech(work.storage.put(key, flac(audio.samples, audio.rate)), audio)
