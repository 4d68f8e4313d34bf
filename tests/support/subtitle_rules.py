"""The rules of subtitles (docs/subtitles.md), checked on files as written, by other means than they were made by.

Hard rules are looked up in the file. Of the soft ones the checker counts what the file breaks, and then tries every
other way to cut the same words into cues, without regard for looks: none may break fewer.
"""

import html
import logging
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, product
from pathlib import Path
from unicodedata import category, east_asian_width

import av
import av.logging
import pysubs2

from octavia.subtitles.clauses import Boundary
from octavia.subtitles.streams import Stream
from octavia.subtitles.units import Unit

JOINER = "\u2060"
_TT = "{http://www.w3.org/ns/ttml}"


@dataclass(frozen=True)
class Shown:
    """A cue as a file has it; milliseconds."""

    start: int
    end: int
    lines: tuple[str, ...]


def read(format: str, text: str) -> list[Shown]:
    """The cues of a file, read by pysubs2; of TTML it reads the times, and the standard library the text."""
    file = pysubs2.SSAFile.from_string(text, format_=format)
    lines = [_unescaped(format, event.text) for event in file]
    if format == "ttml":
        paragraphs = ET.fromstring(text.encode()).iter(f"{_TT}p")
        lines = [_paragraph(paragraph) for paragraph in paragraphs]
    return [Shown(event.start, event.end, tuple(shown)) for event, shown in zip(file, lines, strict=True)]


def check_demuxed(format: str, text: str, folder: Path) -> None:
    """FFmpeg reads as many cues at the same times, and says nothing."""
    path = folder / f"subtitles.{format}"
    path.write_text(text)
    expected = read(format, text)
    av.logging.set_level(av.logging.WARNING)
    try:
        with av.logging.Capture() as said, av.open(str(path)) as container:
            (stream,) = container.streams
            assert stream.time_base is not None
            packets = [packet for packet in container.demux(stream) if packet.size]
            found = [(packet.pts * stream.time_base, packet.duration * stream.time_base) for packet in packets]
            for packet in packets:
                packet.decode()
    finally:
        av.logging.set_level(None)
    assert [message for level, _, message in said if level <= logging.WARNING] == []
    assert [(round(start * 1000), round(length * 1000)) for start, length in found] == [
        (cue.start, cue.end - cue.start) for cue in expected
    ]


def columns(text: str) -> int:
    """Wide characters are two columns, marks and invisible ones none."""
    return sum(0 if category(c) in ("Mn", "Me", "Cf") else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def plain(text: str) -> str:
    """A text's letters, without what a format adds to keep them."""
    dropped = (JOINER, "\u200b", "\ufffe", "\uffff")
    kept = (c for c in text if not c.isspace() and category(c) not in ("Cc", "Cs") and c not in dropped)
    return "".join(kept).translate(str.maketrans("\u2774\u2775", "{}"))


def check_hard(cues: Sequence[Shown], said: Sequence[str], *, width: int = 42, lines: int = 2) -> None:
    """Every letter once and in order, no overlap, 80 ms between cues, few and short lines.

    Parameters:
      said: The texts that are shown, in order.
    """
    assert "".join(plain(line) for cue in cues for line in cue.lines) == "".join(map(plain, said))
    for cue in cues:
        assert 0 <= cue.start < cue.end
        assert 1 <= len(cue.lines) <= lines
        for line in cue.lines:
            assert line == line.strip() != ""
            assert columns(line) <= width or " " not in line, line
    assert all(after.start - before.end >= 80 for before, after in pairwise(cues))


Row = Sequence[Unit]


@dataclass(frozen=True)
class Count:
    """Soft rules broken; that lines end inside a clause weighs least."""

    too_fast: int = 0
    too_short: int = 0
    clause_split: int = 0
    sentence_begun: int = 0
    line_split: int = 0
    widow: int = 0

    @property
    def weight(self) -> tuple[int, int]:
        return sum(vars(self).values()) - self.line_split, self.line_split


class Proof:
    """What could be made of a stream.

    Parameters:
      stream: What is said when, and what ends where.
      lines: Of each language.
    """

    def __init__(self, stream: Stream, *, width: int = 42, lines: int = 2) -> None:
        self._stream = stream
        self._width = width
        self._lines = lines
        self._sentences = {
            id(unit)
            for units in stream.tracks
            for before, unit in zip([None, *units], units, strict=False)
            if unit.after == Boundary.SENTENCE and (before is None or before.after == Boundary.SENTENCE)
        }

    def count(self, cues: Sequence[Shown]) -> Count:
        """What these cues break. Each begins with its words, stays until they are said, and wastes no time."""
        counts: list[Count] = []
        first = 0
        for cue, following in zip(cues, [*cues, None][1:], strict=True):
            end, rows = self._found(first, cue)
            start, last = self._stream.starts[first], self._stream.starts[end - 1]
            assert cue.start == start
            latest = start + 7000 if following is None else min(start + 7000, following.start - 80)
            assert min(latest, self._stream.ends[end], last + 1000) <= cue.end <= latest
            assert not any(self._stream.silent[first + 1 : end])
            duration = cue.end - start
            count = self._counted(first, end, rows, duration)
            if count.too_fast or count.too_short:
                assert cue.end == latest, "time was left"
            counts.append(count)
            first = end
        assert first == len(self._stream)
        return Count(**{rule: sum(getattr(count, rule) for count in counts) for rule in vars(Count())})

    def fewest(self) -> tuple[int, int] | None:
        """What any cues break at least; None: words come faster than cues can."""
        best: dict[int, tuple[int, int]] = {len(self._stream): (0, 0)}
        for first in reversed(range(len(self._stream))):
            ways = []
            for end in range(first + 1, len(self._stream) + 1):
                if not all(map(self._ways, self._tracks(first, end))):
                    break  # and none fits that has more words
                here = self._least(first, end)
                if here is not None and end in best:
                    ways.append((here[0] + best[end][0], here[1] + best[end][1]))
                if self._stream.silent[end]:
                    break
            if ways:
                best[first] = min(ways)
        return best.get(0)

    def _least(self, first: int, end: int) -> tuple[int, int] | None:
        """What a cue of these units breaks at least; None: there can be none."""
        stream = self._stream
        start = stream.starts[first]
        room = 7000 if end == len(stream) else min(7000, stream.starts[end] - 80 - start)
        said = min(stream.ends[end], stream.starts[end - 1] + 1000) - start
        if room < 200 or (said > 7000 and end - first > 1):
            return None
        ways = [self._ways(units) for units in self._tracks(first, end)]
        return min((self._counted(first, end, rows, room).weight for rows in product(*ways)), default=None)

    def _counted(self, first: int, end: int, rows: Sequence[Sequence[Row]], duration: int) -> Count:
        """What a cue breaks that has these rows of each track for so long."""
        width = max(map(_columns, self._tracks(first, end)))
        all_rows = [row for track in rows for row in track]
        level, inside = self._stream.levels[end], self._stream.levels[first + 1 : end]
        return Count(
            width * 1000 > 17 * duration,
            duration < 1000,
            level == Boundary.NONE,
            level < Boundary.COMMA and Boundary.SENTENCE in inside,
            sum(row[-1].after == Boundary.NONE for track in rows for row in track[:-1]),
            sum(len(row) == 1 and id(row[0]) not in self._sentences for row in all_rows),
        )

    def _ways(self, units: Row) -> list[list[Row]]:
        """All ways to break units into the fewest lines that hold them."""
        if not units:
            return [[]]
        for count in range(1, self._lines + 1):
            cuts = ((0, *inner, len(units)) for inner in combinations(range(1, len(units)), count - 1))
            ways = [[units[a:b] for a, b in pairwise(cut)] for cut in cuts]
            fitting = [way for way in ways if all(len(row) == 1 or _columns(row) <= self._width for row in way)]
            if fitting:
                return fitting
        return []

    def _tracks(self, first: int, end: int) -> list[Row]:
        places = zip(self._stream.tracks, self._stream.places[first], self._stream.places[end], strict=True)
        return [units[a:b] for units, a, b in places]

    def _found(self, first: int, cue: Shown) -> tuple[int, list[list[Row]]]:
        """The end of what a cue shows, and its units line by line and track by track."""
        for end in range(first + 1, len(self._stream) + 1):
            tracks = self._tracks(first, end)
            if sum(len(unit.text) for units in tracks for unit in units) > sum(map(len, cue.lines)):
                break
            for rows in product(*map(self._ways, tracks)):
                if [plain(_text(row)) for track in rows for row in track] == [plain(line) for line in cue.lines]:
                    return end, list(rows)
        raise AssertionError(f"these are not the next words: {cue.lines}")


def _columns(units: Row) -> int:
    return columns(_text(units))


def _text(units: Row) -> str:
    return "".join(f" {unit.text}" if unit.spaced else unit.text for unit in units).removeprefix(" ")


def _paragraph(paragraph: ET.Element) -> tuple[str, ...]:
    text = ""
    for element in paragraph.iter():
        text += "\n" if element.tag == f"{_TT}br" else ""
        text += element.text or ""
        text += (element.tail or "") if element is not paragraph else ""
    return tuple(text.split("\n"))


def _unescaped(format: str, text: str) -> tuple[str, ...]:
    if format == "vtt":  # of tags, pysubs2 leaves the times of words
        text = html.unescape(re.sub(r"<[\d:.]+>", "", text))
    return tuple(line.replace(JOINER, "") for line in text.split("\\N"))
