"""The format of a file, by its first bytes and its name: no subtitles are taken for prose or for a recording."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from octavia.errors import InputError
from octavia.text.cue_files import microdvd, subviewer, times, ttml, webvtt
from octavia.text.cue_files.cues import NAMES, CueFormat, bad
from octavia.text.cue_files.encodings import beginning
from octavia.text.line_ends import unified

HEAD: Final = 16 * 1024
"""The first bytes of a file, enough to recognise its format."""

_SUFFIXES: Final[dict[str, CueFormat]] = {
    ".srt": "srt",
    ".vtt": "vtt",
    ".ass": "ass",
    ".ssa": "ass",
    ".ttml": "ttml",
    ".dfxp": "ttml",
    ".sbv": "sbv",
    ".sub": "sub",
    ".lrc": "lrc",
}
# What is named so is read by its own grammar alone, whatever times it has.
_STRICT: Final = ("vtt", "ass", "ttml")
_JSON: Final = re.compile(r'\s*\{\s*"language"\s*:\s*(?:"[\w-]{1,20}"|null)\s*,\s*"duration"\s*:')
_SCRIPT: Final = re.compile(
    r"\[script info\]|\[v4\+? styles\]|\[events\]|dialogue:\s?[^,]{0,20},\d+:\d\d:", re.IGNORECASE
)
_STAMPED: Final = re.compile(r"\s{0,20}\[\d{1,9}:\d\d[.:]\d{2,3}\]")
# Lines of tags that may stand above the first time of an LRC file.
_MOST_TAGS: Final = 30
# A line that may have times in it. More of them above the first times are no preface.
_MAYBE_TIMED: Final = re.compile(r"^(?=[^\n]*\d)[^\n]*[>→;:：][^\n]*", re.MULTILINE)
_MOST_MAYBE: Final = 1000


def recognised(head: bytes, name: str | None = None) -> CueFormat | None:
    """Return the format of a file with cues; None for any other file.

    Parameters:
      head: The file's first ``HEAD`` bytes, or all of a shorter file.
      name: The file's name, if it has one.

    Raises:
      InputError: ``bad_subtitles``: it is named like subtitles, and is no text.
    """
    text = beginning(head)
    named = _SUFFIXES.get(f".{name.rpartition('.')[2].strip().lower()}") if name else None
    if named is not None and "\0" in text:
        raise bad(
            named, "it is no text", hint=f"Subtitles drawn as pictures, and {named} of other kinds, are not read."
        )
    return recognised_text(text, named)


def recognised_text(text: str, named: CueFormat | None = None) -> CueFormat | None:
    """Return the format of a text with cues; ``named`` is that of its file's name. None for any other text.

    It takes some milliseconds for the longest text of a request.
    """
    text = unified(text).removeprefix("\ufeff")
    first = next(_said(text), "")
    if webvtt.SIGNATURE.fullmatch(first):
        return "vtt"
    if _JSON.match(text):
        return "json"
    if _SCRIPT.match(first):
        return "ass"
    if first.startswith("<") and ttml.ROOT.search(text):
        return "ttml"
    return named if named in _STRICT else _timed(text) or named


def refuse_recording(head: bytes, name: str | None) -> None:
    """Raise ``InputError`` (``wrong_input``) for subtitles where a recording is needed, else as ``recognised``."""
    format = recognised(head, name)
    if format is not None:
        raise InputError(
            f"The file is subtitles ({NAMES[format]}), not a recording: there is no speech in it.",
            code="wrong_input",
            hint="Send the recording. Subtitles can be translated, synthesized and dubbed.",
            field="file",
        )


def _timed(text: str) -> CueFormat | None:
    """Return the format of a text by the first line that has times in one."""
    first = next(_said(text), "")
    if microdvd.PICTURES.match(first):
        return "sub"
    if any(map(_STAMPED.match, islice(_said(text), _MOST_TAGS))) and first.lstrip().startswith("["):
        return "lrc"
    for found in islice(_MAYBE_TIMED.finditer(text), _MOST_MAYBE):
        line = found.group()
        if times.is_time_line(line):
            return "srt"
        if subviewer.TIMES.fullmatch(line):
            return "sbv"
    return None


def _said(text: str) -> Iterator[str]:
    """Return the lines of a text that are not blank."""
    return (line for line in text.split("\n") if line.strip())
