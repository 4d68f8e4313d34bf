"""Options of the command line as fields of a job."""

import json
from pathlib import Path
from typing import Any

from octavia.cli import console
from octavia.cli.inputs import read_input
from octavia.errors import InputError
from octavia.jobs.tables.states import AudioTracks, Background, JobType


def input_of(type_: JobType, file: Path | None, text: str | None, input_url: str | None) -> dict[str, Any]:
    """The field that holds the input; the content of a text file is sent as text, unless the job transcribes.

    Raises ``InputError`` as ``read_input``.
    """
    if input_url is not None:
        if file is not None or text is not None:
            console.usage_error("Give one input: a file, --text or --input-url.")
        return {"input_url": input_url}
    given = read_input(file, text)
    if isinstance(given, str) and not (type_ is JobType.TRANSCRIBE and file is not None and str(file) != "-"):
        return {"text": given}
    return {"file": file}


def voices_of(speakers: list[str] | None) -> dict[str, str] | None:
    """Voices by speaker, from ``--speaker NAME=VOICE``. Raises ``InputError`` if one has another form."""
    voices: dict[str, str] = {}
    for given in speakers or ():
        name, equals, voice = (part.strip() for part in given.rpartition("="))
        if not (name and equals and voice):
            raise InputError(
                f"{given!r} names no speaker and voice.", field="speaker", hint="For example: --speaker Alice=ef_dora"
            )
        voices[name] = voice
    return voices or None


def original_sound(background: Background | None, level: float | None, *, replace_audio: bool) -> dict[str, Any]:
    """The fields for the sound of the original; None for those with their default."""
    return {
        "background": None if background in (None, Background.NONE) else background.value,
        "background_level": level,
        "audio_tracks": AudioTracks.REPLACE.value if replace_audio else None,
    }


def metadata_of(text: str | None) -> dict[str, Any] | None:
    """Parse ``--metadata`` of a new job; leave with ``bad_json`` unless it is a JSON object."""
    if text is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        console.usage_error("--metadata is not a JSON object.", "bad_json", "For example: --metadata '{\"order\": 7}'")
    return value


def pair_of(text: str) -> tuple[str, str]:
    """Split ``KEY=VALUE``, which selects jobs by their metadata."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        console.usage_error(f"{text} is not KEY=VALUE.", hint="For example: --metadata order=7")
    return key, value
