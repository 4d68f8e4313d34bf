"""WebVTT, read by the parser of the W3C's recommendation, except that no cue is dropped: its line is refused."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from octavia.text.cue_files import markup
from octavia.text.cue_files.cues import Gathering, Line
from octavia.text.cue_files.numbered import numbered
from octavia.text.joiner import unguarded

SIGNATURE: Final = re.compile(r"WEBVTT(?:[ \t].*)?")
"""The first line of a file."""

_ARROW: Final = "-->"
_TIME: Final = r"(?:([0-9]{1,9}):)?([0-5][0-9]):([0-5][0-9])\.([0-9]{3})"
# Blanks as the recommendation has them.
_TIMES: Final = re.compile(rf"[ \t\f]*{_TIME}[ \t\f]*-->[ \t\f]*{_TIME}(?:[ \t\f]+(.*)|)", re.DOTALL)
_HINT: Final = "Write times as 00:00:01.000 --> 00:00:02.500, and in a text --&gt; for the arrow."
_COMMENT: Final = re.compile(r"(?:NOTE|STYLE|REGION)(?:[ \t:]|\Z)")


@dataclass(slots=True)
class _Block:
    """Lines without a blank one between them: a cue, or a comment, a style sheet or a region.

    Attributes:
      lines: All lines, but not the one with times.
      timed: The line with times.
      is_comment: True of notes, style sheets and regions.
    """

    lines: list[Line] = field(default_factory=list)
    timed: Line | None = None
    is_comment: bool = False

    def add(self, line: Line) -> None:
        """Take a line that has no times."""
        self.is_comment = self.is_comment or (not self.lines and _COMMENT.match(line.text) is not None)
        self.lines.append(line)


def read(text: str, gathering: Gathering) -> None:
    """Gather the cues of a file.

    Identifiers, notes, style sheets and regions are no text, wherever they stand.

    Raises:
      InputError: The signature is missing, a line of times is not understood, or as ``Gathering.add``.
    """
    lines = numbered(text, gathering)
    place = next((place for place, line in enumerate(lines) if line.text.strip()), 0)
    if not SIGNATURE.fullmatch(lines[place].text):
        raise gathering.bad(
            f"line {lines[place].number} is not the signature WEBVTT", hint="Begin the file with a line WEBVTT."
        )
    # The header ends at a blank line, or with the first times.
    place += 1
    while place < len(lines) and lines[place].text and _ARROW not in lines[place].text:
        place += 1
    while place < len(lines):
        place, block = _block(lines, place)
        _add(gathering, block)


def _block(lines: Sequence[Line], place: int) -> tuple[int, _Block]:
    """Collect the block that begins at ``place``; return the place behind it."""
    block = _Block()
    first = place
    while place < len(lines) and lines[place].text:
        line = lines[place]
        if _ARROW in line.text and not (block.is_comment and not _TIMES.fullmatch(line.text)):
            if block.timed or place > first + 1:
                # The next cue, without a blank line before it.
                return place, block
            if place == first and _COMMENT.match(line.text):
                block.add(line)
            else:
                block.timed = line
        else:
            block.add(line)
        place += 1
    return place + (place < len(lines)), block


def _add(gathering: Gathering, block: _Block) -> None:
    if block.timed is None:
        if not block.is_comment:
            gathering.leave_out(block.lines)
        return
    found = _TIMES.fullmatch(block.timed.text)
    if found is None:
        raise gathering.not_understood(block.timed, _HINT)
    hours, minutes, seconds, fraction = found.groups("0")[:4]
    start = _milliseconds(hours, minutes, seconds, fraction)
    end = _milliseconds(*found.groups("0")[4:8])
    raw = "\n".join(text for number, text in block.lines if number > block.timed.number)
    gathering.check_cue(block.timed.number, len(raw))
    plain = markup.of_webvtt(raw)
    gathering.add(
        block.timed.number,
        (start, end),
        unguarded(plain.text),
        raw=raw,
        speaker=plain.speaker,
        styled=plain.styled or bool((found[9] or "").strip()),
    )


def _milliseconds(hours: str, minutes: str, seconds: str, fraction: str) -> int:
    return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(fraction)
