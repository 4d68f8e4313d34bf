"""LRC, as players of music have it: each line of text begins with the times at which it is sung."""

import re
from itertools import pairwise
from typing import Final

from octavia.text.cue_files import times
from octavia.text.cue_files.cues import Gathering
from octavia.text.cue_files.numbered import numbered

STAMP: Final = re.compile(r"\s{0,20}\[(\d{1,9}:\d{1,2}(?:[.:]\d{1,9})?)\]")
"""A time at which a line begins."""

_TAG: Final = re.compile(r"\s{0,20}\[([A-Za-z#]{1,20}):([^\]]*)\]\s*")
_WORD: Final = re.compile(r"<\d{1,9}:\d{1,2}(?:[.:]\d{1,9})?>")
_LAST: Final = 5000
"""The length of the last line, unless the tag ``length`` says when the song ends."""


def read(text: str, gathering: Gathering) -> None:
    """Gather the lines of a file as cues: each lasts until the next begins. Lines without a time belong to no cue.

    Raises ``InputError`` if a time is not understood, or as ``Gathering.add``.
    """
    found: list[tuple[int, int, str]] = []
    tags: dict[str, str] = {}
    for line in numbered(text, gathering):
        place, starts = 0, []
        while stamp := STAMP.match(line.text, place):
            start = times.moment(_with_point(stamp[1]))
            if start is None:
                raise gathering.not_understood(line, "Write its time as [01:02.50].")
            starts.append(start)
            gathering.check_parts(len(starts))
            place = stamp.end()
        if starts:
            said = line.text[place:]
            gathering.check_cue(line.number, len(said))
            found += [(start, line.number, said) for start in starts]
            gathering.check_parts(len(found))
        elif tag := _TAG.fullmatch(line.text):
            tags[tag[1].lower()] = tag[2].strip()
        else:
            gathering.leave_out([line])
    found.sort()
    earlier = int(tags["offset"]) if re.fullmatch(r"[+-]?[0-9]{1,9}", tags.get("offset", "")) else 0
    length = times.moment(_with_point(tags.get("length", "")))
    end = max(length or 0, found[-1][0] + (0 if length else _LAST)) if found else 0
    for (start, number, said), (until, *_) in pairwise([*found, (end, 0, "")]):
        if said.strip():
            gathering.add(number, (max(start - earlier, 0), max(until - earlier, 0)), _WORD.sub("", said), raw=said)


def _with_point(time: str) -> str:
    """Return ``01:02:50``, which some programs write for ``01:02.50``, as the latter."""
    minutes, _, rest = time.partition(":")
    return f"{minutes}:{rest.replace(':', '.')}"
