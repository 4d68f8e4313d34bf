"""The last task of a job: join what the chunks left into the files that the user gets."""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from octavia import subtitles
from octavia.actors.synthesize import SPOKEN, speech_name
from octavia.actors.transcribe import TRANSCRIPT
from octavia.actors.translate import UTTERANCES
from octavia.engines.types import Audio
from octavia.jobs.states import Stage, chunk_stages
from octavia.media import timeline
from octavia.media.encode import Encoder, media_type, read_audio
from octavia.utterances import Utterance
from octavia.work import Work, current

DEFAULT_FORMATS = ("wav",)


def assemble(job_id: str, run: int, chunk: int, format: int) -> None:
    """Write the job's results: what its stages can give, and nothing else."""
    work = current()
    stages = chunk_stages(work.job.type, from_text=work.job.input["kind"] == "text")
    if Stage.TRANSCRIBE in stages:
        _write_transcript(work)
    if Stage.TRANSLATE in stages:
        _write_translation(work)
    if Stage.SYNTHESIZE in stages:
        _write_dub(work)
