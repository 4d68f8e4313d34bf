"""SubRip: cues of a line of digits, a line of times, and text up to the next of these."""

import re
from collections.abc import Sequence
from typing import Final

from octavia.text.cue_files import markup, times
from octavia.text.cue_files.cues import Gathering, Line
from octavia.text.cue_files.numbered import numbered
from octavia.text.joiner import unguarded

_HINT: Final = "Write it as 00:00:01,000 --> 00:00:02,500, or remove it."
_POSITION: Final = re.compile(r"[XY][12]:\d|\b(?:align|line|position|region|size|vertical):", re.IGNORECASE)


def read(text: str, gathering: Gathering) -> None:
    """Gather the cues of a file.

    A line of digits directly above a line of times is that cue's number, and nothing else is. Text above the first
    line of times belongs to no cue.

    Raises:
      InputError: A line of times is not understood, or as ``Gathering.add``.
    """
    lines = numbered(text, gathering)
    timed = [place for place, line in enumerate(lines) if times.is_time_line(line.text)]
    heads = [place - (place > 0 and _is_number(lines[place - 1].text)) for place in timed]
    first, *ends = [*heads, len(lines)]
    gathering.leave_out(lines[:first])
    for place, end in zip(timed, ends, strict=True):
        span = times.span(lines[place].text)
        if span is None:
            raise gathering.not_understood(lines[place], _HINT)
        _add(gathering, lines[place], span, lines[place + 1 : end])


def _add(gathering: Gathering, line: Line, span: tuple[int, int], said: Sequence[Line]) -> None:
    raw = "\n".join(text for _, text in said).strip()
    gathering.check_cue(line.number, len(raw))
    plain = markup.of_subrip(raw)
    styled = plain.styled or _POSITION.search(line.text) is not None
    gathering.add(line.number, span, unguarded(plain.text), raw=raw, speaker=plain.speaker, styled=styled)


def _is_number(text: str) -> bool:
    return text.strip().isdecimal()
