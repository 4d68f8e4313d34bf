"""SubViewer and YouTube's SBV: a line with two times and a comma between them, then text up to a blank line."""

import re
from typing import Final

from octavia.text.cue_files import times
from octavia.text.cue_files.cues import Gathering, Line
from octavia.text.cue_files.numbered import numbered

TIMES: Final = re.compile(
    r"\s{0,20}(\d{1,9}:\d{1,2}:\d{1,2}\.\d{1,9})\s{0,20},\s{0,20}(\d{1,9}:\d{1,2}:\d{1,2}\.\d{1,9})\s*"
)
"""The line of times."""

_ALIKE: Final = re.compile(r"\s{0,20}\d{1,9}:\d{1,9}:[\d.:]{1,20}\s{0,20},\s{0,20}\d{1,9}:")
_BREAK: Final = re.compile(r"\[br\]", re.IGNORECASE)


def read(text: str, gathering: Gathering) -> None:
    """Gather the cues of a file; text that follows a blank line belongs to no cue.

    Raises ``InputError`` if a line of times is not understood, or as ``Gathering.add``.
    """
    head: Line | None = None
    said: list[str] = []
    for line in [*numbered(text, gathering), Line(0, "")]:
        if _ALIKE.match(line.text) or not line.text.strip():
            if head is not None:
                _add(gathering, head, "\n".join(said))
            head, said = (line if line.text.strip() else None), []
        elif head is None:
            gathering.leave_out([line])
        else:
            said.append(line.text)


def _add(gathering: Gathering, head: Line, said: str) -> None:
    found = TIMES.fullmatch(head.text)
    start, end = (times.moment(time) for time in found.groups()) if found else (None, None)
    if start is None or end is None:
        raise gathering.not_understood(head, "Write it as 0:00:01.000,0:00:02.500, or remove it.")
    gathering.check_cue(head.number, len(said))
    gathering.add(head.number, (start, end), _BREAK.sub("\n", said), raw=said)
