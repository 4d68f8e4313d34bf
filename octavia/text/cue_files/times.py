"""Times of SubRip and its relatives, as people and programs write them. Times are milliseconds."""

import re
import unicodedata
from typing import Final

from octavia.text.joiner import JOINER

# Nothing longer is a line of times, so no pattern below sees long texts.
_LONGEST: Final = 300
_ARROW: Final = re.compile(r"-{1,3} ?>|[–—−]{1,2} ?>|→|=>|-{1,2}&gt;")
_TIME: Final = re.compile(r"(-?)(\d{1,9}):(\d{1,9})(?::(\d{1,9}))?(?:([.,:])(\d{0,9}))?")
# In a text of single spaces.
_SPACED: Final = re.compile(" ?([:.,]) ?")
# Coordinates of SubRip (X1:40 Y1:20), settings of WebVTT (align:start).
_SETTING: Final = re.compile(r"[A-Za-z][\w-]*:\S+")
_WIDE: Final = str.maketrans("：，．、", ":,..")
# Letters that are read for digits.
_LOOK_ALIKES: Final = str.maketrans("", "", "OoIl")
_FEW_LETTERS: Final = 2


def span(line: str) -> tuple[int, int] | None:
    """Return the start and end that a line of times has; None if it is not understood.

    Hours and fractions may be left out, digits be few, spaces stand anywhere and the fraction follow a comma, a point
    or a colon.
    """
    line = _ascii(line)
    arrow = _ARROW.search(line)
    if len(line) > _LONGEST or not arrow:
        return None
    start, end = _words(line[: arrow.start()]), _words(line[arrow.end() :])
    if len(start) != 1 or not end or not all(map(_SETTING.fullmatch, end[1:])):
        return None
    # "10:30 → 11:15" is a timetable.
    if not arrow.group().startswith("--") and not (_is_precise(start[0]) and _is_precise(end[0])):
        return None
    began, ended = moment(start[0]), moment(end[0])
    return None if began is None or ended is None else (began, ended)


def is_time_line(line: str) -> bool:
    """Return True if a line can only be meant as a line of times, well written or not; a word joiner says that not."""
    line = _ascii(line[:_LONGEST])
    if JOINER in line:
        return False
    before, arrow, after = line.replace("--&gt;", "-->").partition("-->")
    if not arrow:
        return span(line) is not None
    side = before.strip() or after.strip()
    letters, digits = (sum(map(kind, side.translate(_LOOK_ALIKES))) for kind in (str.isalpha, str.isdecimal))
    return digits > 0 and letters <= max(_FEW_LETTERS, digits // 2)


def moment(time: str) -> int | None:
    """Return a time such as ``01:02:03,456``, ``1:2.5`` or ``-0:0:1``; None if it is not understood."""
    found = _TIME.fullmatch(time)
    if found is None:
        return None
    sign, first, second, third, point, fraction = found.groups()
    hours, minutes, seconds = (first, second, third) if third else ("0", first, second)
    if int(seconds) > 59 or (third and int(minutes) > 59):
        return None
    # After a colon only three digits are surely a fraction; two would be pictures.
    if point == ":" and len(fraction) != 3:
        return None
    whole = (int(hours) * 3600 + int(minutes) * 60 + int(seconds)) * 1000
    return (whole + int(f"{fraction or 0}00"[:3])) * (-1 if sign else 1)


def _ascii(line: str) -> str:
    """Return a line without invisible marks of direction, and with plain colons, commas and points."""
    if line.isascii():
        return line
    marks = {sign for sign in set(line) if sign != JOINER and unicodedata.category(sign) == "Cf"}
    return line.translate(_WIDE | {ord(sign): None for sign in marks})


def _is_precise(time: str) -> bool:
    """Return True if a time has hours or a fraction."""
    return sum(map(time.count, ":.,")) > 1


def _words(side: str) -> list[str]:
    return _SPACED.sub(r"\1", " ".join(side.split())).split()
