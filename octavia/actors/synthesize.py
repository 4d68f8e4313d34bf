"""Speak the utterances of one chunk, each into a file of its own that is kept and reused."""

import hashlib
import io
import json
from contextlib import suppress

from octavia.actors.models import loaded, voice_pin
from octavia.actors.translate import UTTERANCES, written_utterances
from octavia.engines.types import Audio
from octavia.errors import NotFound
from octavia.jobs.states import WRITTEN, Stage, chunk_stages
from octavia.media.encode import Encoder, media_type, read_audio
from octavia.storage import StoredObject
from octavia.utterances import Utterance
from octavia.work import Work, current

SPOKEN = "speech.json"


def synthesize(job_id: str, run: int, chunk: int, format: int) -> None:
    """Speak one chunk's utterances."""
    work = current()
    utterances = _utterances(work, chunk)
    index = []
    for number, utterance in enumerate(utterances):
        seconds = 0.0
        if not is_silent(utterance):
            stored, seconds = _speak_once(work, utterance)
            work.reuse(speech_name(utterance), stored, media_type("flac"))
        index.append({**utterance.to_dict(), "seconds": seconds})
        work.checkpoint((number + 1) / len(utterances))
    work.save_json(SPOKEN, index)


def speech_name(utterance: Utterance) -> str:
    """The name of an utterance's audio among what ``synthesize`` leaves."""
    return f"{utterance.id}.flac"


def is_silent(utterance: Utterance) -> bool:
    """Whether nothing of it is to be said, as of a line that was silenced: it has no audio."""
    return not utterance.spoken


def _utterances(work: Work, chunk: int) -> list[Utterance]:
    if Stage.TRANSLATE in chunk_stages(work.job.type, from_text=work.job.input["kind"] in WRITTEN):
        rows = work.read_json(Stage.TRANSLATE, UTTERANCES, chunk=chunk)
        return [Utterance.from_dict(row) for row in rows]
    return written_utterances(work, chunk)


def _speak_once(work: Work, utterance: Utterance) -> tuple[StoredObject, float]:
    """Speak an utterance, unless the job has it already: the key is a hash of all that shapes the sound."""
    text = utterance.spoken
    pin = voice_pin(work, utterance.voice)
    speed = float(work.job.options.get("speed") or 1.0)
    recipe = json.dumps([text, pin["voice"], pin["sha256"], speed], ensure_ascii=False)
    key = f"jobs/{work.job.id}/speech/{hashlib.sha256(recipe.encode()).hexdigest()}.flac"
    with suppress(NotFound):
        data = work.storage.get(key)
        samples, rate = read_audio(io.BytesIO(data))
        return StoredObject(key, len(data), hashlib.sha256(data).hexdigest()), len(samples) / rate
    audio = loaded().voice(work, pin).synthesize(text, speed=speed)
    return work.storage.put(key, _flac(audio)), audio.duration


def _flac(audio: Audio) -> bytes:
    target = io.BytesIO()
    with Encoder(target, "flac", audio.rate) as encoder:
        encoder.write(audio.samples)
    return target.getvalue()
