"""Transcripts of ours: the utterances of a ``transcript.json`` or ``translation.json``."""

import json
from typing import Any

from octavia.text.cue_files.cues import Gathering


def read(text: str, gathering: Gathering) -> None:
    """Gather the utterances of a file. Raises ``InputError`` if it has none, or as ``Gathering.add``."""
    try:
        value = json.loads(text)
        rows = value["utterances"]
        texts, others = (" ".join(str(row.get(name) or "") for row in rows).split() for name in ("text", "translation"))
        # In a translation's file the cues are its translations.
        translated = texts != others == str(value.get("text")).split()
        found = [_given({**row, "text": row["translation"]} if translated else row) for row in rows]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        raise gathering.bad(
            "it has no utterances with start, end and text", hint="Send a transcript.json that a job has made."
        ) from None
    for number, (start, end, said, speaker) in enumerate(found, 1):
        gathering.add(number, (start, end), said, speaker=speaker)


def _given(row: dict[str, Any]) -> tuple[int, int, str, str]:
    text, speaker = row["text"], row.get("speaker") or ""
    if not isinstance(text, str) or not isinstance(speaker, str):
        raise TypeError("text and speaker must be strings")
    return round(float(row["start"]) * 1000), round(float(row["end"]) * 1000), text, speaker
