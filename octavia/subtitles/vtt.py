"""WebVTT."""

import html
import re
from collections.abc import Iterable

from octavia.subtitles.cues import Cue
from octavia.subtitles.stamps import stamp
from octavia.subtitles.units import Unit

# No markup here, but many players show WebVTT by way of a format in which it is.
_LINE_BREAK = re.compile(r"\\(?=[Nnh])")
_JOINER = "\u2060"


def write(cues: Iterable[Cue], *, words: bool = False) -> str:
    """A file's text, with its escapes.

    Parameters:
      words: Mark each word whose time is known with ``<c>``, and when it is said.
    """
    return "WEBVTT\n\n" + "".join(
        f"{stamp(cue.start, '.')} --> {stamp(cue.end, '.')}\n{_timed(cue) if words else _plain(cue)}\n\n"
        for cue in cues
    )


def _plain(cue: Cue) -> str:
    return "\n".join(_escaped(line.text) for line in cue.lines)


def _timed(cue: Cue) -> str:
    """The lines with a time before each word; those of a cue must lie inside it and grow, so that some have none."""
    lines: list[str] = []
    latest = cue.start
    for line in cue.lines:
        text = ""
        for number, unit in enumerate(line.units):
            text += " " if unit.spaced and number else ""
            if unit.heard and latest < unit.start < cue.end:
                latest = unit.start
                text += f"<{stamp(latest, '.')}>"
            text += _marked(unit)
        lines.append(text)
    return "\n".join(lines)


def _marked(unit: Unit) -> str:
    return f"<c>{_escaped(unit.text)}</c>" if unit.heard else _escaped(unit.text)


def _escaped(text: str) -> str:
    return _LINE_BREAK.sub(lambda mark: mark.group() + _JOINER, html.escape(text, quote=False))
