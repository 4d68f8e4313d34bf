"""Rolling captions, which show each line again while the next one comes: joined to what is said, each line once.

Captions of live programmes and of YouTube roll; others grow word by word, or repeat their whole text to mark each word.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from octavia.text.cue_files.cues import FoundCue

# Rolling captions follow each other without a gap.
_GAP: Final = 100
# YouTube holds a line this long, in milliseconds, before the next one comes.
_HELD: Final = 50
_FEW: Final = 2
# No caption that rolls has more lines. Without a bound, comparing two cues line by line is quadratic.
_MOST_LINES: Final = 20


def unrolled(cues: Sequence[FoundCue]) -> list[FoundCue]:
    """Return cues, ordered by start, with each line that rolls said once; cues that do not roll are as they were."""
    joined: list[FoundCue] = []
    first = 0
    for end in range(1, len(cues) + 1):
        if end < len(cues) and _follows(cues[end - 1], cues[end]):
            continue
        run = cues[first:end]
        joined += _joined(run) if _rolls(run) else run
        first = end
    return joined


def _rolls(run: Sequence[FoundCue]) -> bool:
    """Return True for a run in which at least two cues repeat lines, as nobody says them."""
    return sum(_repeats(before, cue) for before, cue in pairwise(run)) >= _FEW


def _follows(before: FoundCue, cue: FoundCue) -> bool:
    """Return True if a cue begins with lines of the one before, and follows it without a gap."""
    if max(len(before.lines), len(cue.lines)) > _MOST_LINES:
        return False
    return cue.start - before.end <= _GAP and (_shared(before, cue) > 0 or _grown(before, cue) > 0)


def _repeats(before: FoundCue, cue: FoundCue) -> bool:
    """Return True if a cue repeats lines because captions roll, and not because they are said again."""
    return len(cue.lines) > _shared(before, cue) or _is_held(before, cue) or _is_marked(before, cue)


def _shared(before: FoundCue, cue: FoundCue) -> int:
    """Return the most lines that end one cue and begin the next."""
    most = min(len(before.lines), len(cue.lines))
    return next((count for count in range(most, 0, -1) if before.lines[-count:] == cue.lines[:count]), 0)


def _grown(before: FoundCue, cue: FoundCue) -> int:
    """Return the most lines that end one cue and begin the next, where the last of them has more words."""
    most = min(len(before.lines), len(cue.lines))
    return next((count for count in range(most, 0, -1) if _grows(before.lines[-count:], cue.lines[:count])), 0)


def _grows(lines: Sequence[str], longer: Sequence[str]) -> bool:
    return lines[:-1] == longer[:-1] and longer[-1] != lines[-1] and longer[-1].startswith(lines[-1])


def _stays(before: FoundCue, cue: FoundCue) -> bool:
    """Return True if a cue shows nothing but what is there; a single line that is shown again may be said again."""
    return len(cue.lines) > 1 or cue.lines != before.lines


def _is_held(before: FoundCue, cue: FoundCue) -> bool:
    """Return True if a cue only holds lines until the next one comes."""
    return cue.end - cue.start <= _HELD and _shared(before, cue) == len(cue.lines)


def _is_marked(before: FoundCue, cue: FoundCue) -> bool:
    """Return True if two cues of several words differ only in the word that they mark."""
    same = before.lines == cue.lines and before.speaker == cue.speaker
    return same and before.raw != cue.raw and " " in "\n".join(cue.lines)


def _joined(run: Sequence[FoundCue]) -> list[FoundCue]:
    """Return what is said in a run: each cue's new lines, and each line held or grown with the one that it repeats."""
    said = [run[0]]
    for before, cue in pairwise(run):
        shared, grown = _shared(before, cue), _grown(before, cue)
        fresh = cue.lines[max(shared, grown) :]
        if grown > shared:
            lines = (*said[-1].lines[:-1], cue.lines[grown - 1])
            said[-1] = replace(said[-1], lines=lines, end=max(said[-1].end, cue.end))
        elif not fresh and (_stays(before, cue) or _is_held(before, cue) or _is_marked(before, cue)):
            said[-1] = replace(said[-1], end=max(said[-1].end, cue.end))
        elif not fresh:
            said.append(cue)
        if fresh:
            said.append(replace(cue, lines=fresh))
    return said
