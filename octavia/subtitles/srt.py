"""SubRip."""

import re
from collections.abc import Iterable

from octavia.subtitles.cues import Cue
from octavia.subtitles.stamps import stamp

# Invisible, and breaks what a player would take for markup; SubRip has no escapes.
_JOINER = "\u2060"
_MARKUP = re.compile(r"<(?=\s*/?\s*[A-Za-z])|\{(?=\\|[CcFfoPSsYy]:)|--(?=>)|(?<=\d:\d\d)(?=:\d\d[,.]\d)|\\(?=[Nnh])")


def write(cues: Iterable[Cue]) -> str:
    """A file's text. What players would take for markup is kept as text with a word joiner (U+2060) inside."""
    return "".join(
        f"{number}\n{stamp(cue.start, ',')} --> {stamp(cue.end, ',')}\n{_text(cue)}\n\n"
        for number, cue in enumerate(cues, 1)
    )


def _text(cue: Cue) -> str:
    return "\n".join(_MARKUP.sub(lambda mark: mark.group() + _JOINER, line.text) for line in cue.lines)
