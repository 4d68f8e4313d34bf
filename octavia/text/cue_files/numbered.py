"""The lines of a file with their numbers; where every line end was doubled, without the empty ones."""

from collections.abc import Sequence

from octavia.text.cue_files.cues import Gathering, Line
from octavia.text.line_ends import unified


def numbered(text: str, gathering: Gathering) -> list[Line]:
    """Return the lines of a text. Where each second line is empty, line ends were doubled: those lines are dropped.

    Raises ``InputError`` (``text_too_long``) if there are more than any cues have.
    """
    gathering.check_parts(text.count("\n") + text.count("\r"))
    lines = [Line(number, line) for number, line in enumerate(unified(text).split("\n"), 1)]
    return lines[::2] if _doubled(lines) else lines


def _doubled(lines: Sequence[Line]) -> bool:
    return len(lines) > 3 and not any(line.text.strip() for line in lines[1::2])
