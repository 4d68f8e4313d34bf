"""MicroDVD: each line begins with the pictures between which it is shown, as in ``{100}{150}Yes.|No.``"""

import re
from typing import Final

from octavia.text.cue_files import markup
from octavia.text.cue_files.cues import Gathering, Line
from octavia.text.cue_files.numbered import numbered

PICTURES: Final = re.compile(r"\s{0,20}[{\[](\d{1,9})[}\]][{\[](\d{0,9})[}\]]")
"""The beginning of a line."""

_RATE: Final = re.compile(r"([0-9]{1,4}(?:[.,][0-9]{1,6})?)\s{0,20}(?:fps)?", re.IGNORECASE)
_ITALIC: Final = re.compile(r"(?:^|(?<=\|))/")
_STYLE: Final = re.compile(r"\{DEFAULT\}", re.IGNORECASE)


def read(text: str, gathering: Gathering) -> None:
    """Gather the cues of a file.

    The first line must say how many pictures a second the film has, as ``{1}{1}25``: the times follow from it.

    Raises:
      InputError: It does not, a line is not understood, or as ``Gathering.add``.
    """
    lines = [line for line in numbered(text, gathering) if line.text.strip() and not _STYLE.match(line.text)]
    rate = _rate(lines[0]) if lines else None
    if rate is None:
        raise gathering.bad(
            "it counts pictures, and does not say how many a second has",
            hint="Begin it with a line such as {1}{1}25, with the pictures a second of its film.",
        )
    found: list[tuple[int, int | None, Line, str]] = []
    for line in lines[1:]:
        shown = PICTURES.match(line.text)
        if not shown:
            raise gathering.not_understood(line, "Begin it with two pictures, as in {100}{150}Yes.")
        end = int(shown[2]) if shown[2] else None
        found.append((int(shown[1]), end, line, line.text[shown.end() :]))
    # What says no end is shown until the next line, and the last one for five seconds.
    last = found[-1][0] + round(rate * 5) if found else 0
    following = [*(shown[0] for shown in found[1:]), last]
    for (start, until, line, said), after in zip(found, following, strict=False):
        end = max(start, after) if until is None else until
        gathering.check_cue(line.number, len(said))
        plain = _ITALIC.sub("", markup.without_codes(said)).replace("|", "\n")
        span = round(start * 1000 / rate), round(end * 1000 / rate)
        gathering.add(line.number, span, plain, raw=said, styled=len(plain) < len(said))


def _rate(line: Line) -> float | None:
    """Return the pictures a second that a file's first line says; None if it is another line."""
    shown = PICTURES.match(line.text)
    found = _RATE.fullmatch(line.text[shown.end() :].strip()) if shown and shown[1] in ("0", "1") else None
    rate = float(found[1].replace(",", ".")) if found else 0.0
    return rate if 5 <= rate <= 240 else None
