"""SubStation Alpha and its advanced form: dialogue lines of the section ``[Events]``."""

import re
from collections.abc import Sequence
from typing import Final

from octavia.text.cue_files import times
from octavia.text.cue_files.cues import Gathering, Line
from octavia.text.cue_files.numbered import numbered
from octavia.text.joiner import JOINER, unguarded

BRACES: Final = {"{": "\u2774", "}": "\u2775"}
"""The signs that our writer puts for braces, with a word joiner behind: no escape of them works in all players."""

_FIELDS: Final = ("layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text")
_OVERRIDE: Final = re.compile(r"\{[^{}]*\}")
_DRAWING: Final = re.compile(r"\\p(\d+)")
_BRACE: Final = re.compile(f"([{''.join(BRACES.values())}])({JOINER}+)")
_WRITTEN: Final = {written: brace for brace, written in BRACES.items()}


def read(text: str, gathering: Gathering) -> None:
    """Gather the cues of a file; an event that is repeated on another layer counts once.

    Raises ``InputError`` if a dialogue line is not understood, or as ``Gathering.add``.
    """
    fields: Sequence[str] = _FIELDS
    known: set[tuple[tuple[int, int], str]] = set()
    events = True
    for line in numbered(text, gathering):
        name, colon, value = line.text.strip().partition(":")
        if name.startswith("["):
            events = name.strip("[]").strip().lower() == "events"
        elif not colon or not events:
            continue
        elif name.lower() == "format":
            fields = [field.strip().lower() for field in value.split(",")]
            if fields[-1] != "text" or not {"start", "end"} <= set(fields):
                raise gathering.not_understood(line, "End the line Format with Text, and name Start and End.")
        elif name.lower() == "dialogue":
            _add(gathering, line, dict(zip(fields, value.split(",", len(fields) - 1), strict=False)), known)


def _add(gathering: Gathering, line: Line, event: dict[str, str], known: set[tuple[tuple[int, int], str]]) -> None:
    start, end = (times.moment(event.get(name, "").strip()) for name in ("start", "end"))
    if start is None or end is None or "text" not in event:
        raise gathering.not_understood(line, "Write it as the line Format says, with times as 0:00:01.00.")
    said = event["text"].strip()
    gathering.check_cue(line.number, len(said))
    if ((start, end), said) in known:
        return
    known.add(((start, end), said))
    speaker = event.get("name", event.get("actor", ""))
    styled = _OVERRIDE.search(said) is not None or event.get("style", "").strip(" *") not in ("", "Default")
    gathering.add(line.number, (start, end), _plain(said), raw=said, speaker=speaker, styled=styled)


def _plain(said: str) -> str:
    """Return the text of an event, without overrides and without the drawings that they begin."""
    kept: list[str] = []
    place, drawing = 0, False
    for override in _OVERRIDE.finditer(said):
        kept.append("" if drawing else said[place : override.start()])
        place = override.end()
        for scale in _DRAWING.findall(override.group()):
            drawing = int(scale[:9]) > 0
    kept.append("" if drawing else said[place:])
    text = "".join(kept).replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")
    return unguarded(_BRACE.sub(_brace, text))


def _brace(mark: re.Match[str]) -> str:
    return (_WRITTEN[mark[1]] if len(mark[2]) % 2 else mark[1]) + mark[2]
