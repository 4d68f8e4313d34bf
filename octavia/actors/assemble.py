"""The last task of a job: join the chunks' results into the files that the user gets."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from octavia import subtitles
from octavia.actors.artifacts import UTTERANCES
from octavia.actors.timing import placed, timing
from octavia.actors.translate import heard_segments, heard_utterances
from octavia.jobs.status.preview import SPEECH
from octavia.jobs.tables.states import Stage
from octavia.media.timeline import Placement
from octavia.text.transcripts import Transcript
from octavia.text.utterances import Utterance
from octavia.work import Work


def assemble(work: Work) -> None:
    """Write the files that the job's stages give."""
    job = work.job
    from_text, stages = job.from_text, job.stages
    chunks = range(job.chunks_total or 0)
    if stages[-1] is Stage.TRANSCRIBE:
        utterances = [utterance for chunk in chunks for utterance in heard_utterances(work, chunk)]
    else:
        name = SPEECH if stages[-1] is Stage.SYNTHESIZE else UTTERANCES
        rows = [row for chunk in chunks for row in work.read_json(stages[-1], name, chunk=chunk)]
        utterances = [Utterance.from_dict(row) for row in rows]
    if Stage.TRANSCRIBE in stages and not any(utterance.speech for utterance in utterances):
        work.warnings.append({"code": "no_speech", "message": "No speech was heard in the recording."})
    duration = None if from_text else job.duration
    if Stage.SYNTHESIZE in stages:
        # Imported only now: a translation needs no libraries of sound.
        from octavia.actors.track import write_track

        placements = placed(work, rows)
        length = write_track(work, utterances, placements)
        summary = json.dumps(_summary(work, utterances, placements, length), ensure_ascii=False, indent=1)
        work.save("dub.json", summary.encode(), "application/json", published=True)
        if from_text:
            duration = length
            # A text has no times of its own; its speech has.
            utterances = [
                replace(utterance, start=placement.start, end=placement.end)
                for utterance, placement in zip(utterances, placements, strict=True)
            ]
    formats = subtitles.FORMATS if not from_text or Stage.SYNTHESIZE in stages else ("txt", "json")
    if Stage.TRANSCRIBE in stages:
        heard = tuple(segment for chunk in chunks for segment in heard_segments(work, chunk))
        transcript = Transcript(tuple(utterances), False, job.source_language, duration, heard)
        _write_text(work, "transcript", transcript, formats)
    if Stage.TRANSLATE in stages:
        given = job.input["kind"] == "subtitles"
        translation = Transcript(tuple(utterances), True, job.result_language, duration, given_cues=given)
        _write_text(work, "translation", translation, formats)


def _write_text(work: Work, name: str, transcript: Transcript, formats: Sequence[str]) -> None:
    width = work.job.options.get("max_line_length") or subtitles.MAX_LINE_LENGTH
    for format, text in subtitles.files(formats, transcript, max_line_length=width):
        work.save(f"{name}.{format}", text.encode(), subtitles.MEDIA_TYPES[format], published=True)


def _summary(
    work: Work, utterances: Sequence[Utterance], placements: Sequence[Placement], length: float
) -> dict[str, Any]:
    """The contents of ``dub.json``: each utterance with its times in the original and in the dub, in seconds."""
    job = work.job
    return {
        "source_language": job.source_language,
        "target_language": job.result_language,
        "duration": round(length, 3),
        "models": job.models,
        "timing": work.dub,
        "utterances": [
            {
                "id": utterance.id,
                "start": utterance.start,
                "end": utterance.end,
                "spoken_start": round(placement.start, 3),
                "spoken_end": round(placement.end, 3),
                "text": utterance.text,
                "spoken": utterance.said,
                "speech": utterance.speech,
                "speaker": utterance.speaker,
                "voice": utterance.voice,
                "edited": list(utterance.edited),
                **timing(work, placement),
            }
            for utterance, placement in zip(utterances, placements, strict=True)
        ],
    }
