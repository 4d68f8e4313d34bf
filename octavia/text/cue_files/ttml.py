"""TTML and its profiles (IMSC, EBU-TT-D, DFXP): paragraphs with times.

The XML is read as a stream. A document type is refused, so no entity is ever expanded.
"""

import re
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from octavia.text.cue_files.cues import LONGEST_SPEAKER, Gathering
from octavia.text.line_ends import unified

ROOT: Final = re.compile(r"<(?:[A-Za-z_][\w.-]{0,60}:)?tt[\s>]")
"""The beginning of the root element."""

_DEEPEST: Final = 100
# Expat repeats the namespace in the name of each element.
_LONGEST_NAMESPACE: Final = 200
_CLOCK: Final = re.compile(r"([0-9]{1,6}):([0-5][0-9]):([0-5][0-9])(?:(\.[0-9]{1,9})|:([0-9]{1,4})(?:\.[0-9]{1,9})?)?")
_OFFSET: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(h|ms|m|s|f|t)")
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
# Of which a speaker's name keeps fewer; spaces around it may be many.
_LONGEST_NAME: Final = 10 * LONGEST_SPEAKER
_XML: Final = "http://www.w3.org/XML/1998/namespace"
_UNSAID: Final = ("head", "metadata")
# Readings of other letters, which would be said twice.
_READINGS: Final = ("text", "textContainer", "delimiter")
_HINT: Final = "Write times as 00:00:01.000 or 1.5s."


@dataclass(slots=True)
class _Element:
    """An open element; its times are seconds from the start, as its attributes and those around it say.

    Attributes:
      said: Its characters are shown.
    """

    name: str
    start: float
    end: float | None
    said: bool


@dataclass(slots=True)
class _Paragraph:
    """The paragraph that is read.

    Attributes:
      number: Of its line.
      spans: Times of its parts, for a paragraph that has none itself.
      length: Of its text.
    """

    number: int
    start: float
    end: float | None
    timed: bool
    speaker: str | None
    styled: bool
    text: list[str] = field(default_factory=list)
    spans: list[tuple[float, float]] = field(default_factory=list)
    length: int = 0


def read(text: str, gathering: Gathering) -> None:
    """Gather the paragraphs of a document.

    Times may be clock times or offsets, in seconds, pictures or ticks, and count from the start of what is around them.

    Raises:
      InputError: The XML is broken, has a document type or a time that is not understood, or as ``Gathering.add``.
    """
    text = unified(text)
    document = text.lstrip()
    above = text[: len(text) - len(document)].count("\n")
    reader = _Reader(gathering, above)
    try:
        reader.parser.Parse(document.encode(), True)
    except expat.ExpatError as error:
        what = f"line {above + error.lineno} is no XML: {expat.ErrorString(error.code)}"
        raise gathering.bad(what, hint="Correct the line, or export the file again.") from None


class _Reader:
    """Handlers of a parser, which it makes.

    Parameters:
      above: The number of lines that the parser does not see.
    """

    def __init__(self, gathering: Gathering, above: int) -> None:
        self._gathering = gathering
        self._above = above
        self._parts = 0
        self._open: list[_Element] = []
        self._paragraph: _Paragraph | None = None
        self._frame_rate = 30.0
        self._tick_rate = 1.0
        self._agents: dict[str, str] = {}
        self._agent: str | None = None
        # Without the declared encoding: the text is decoded already.
        self.parser = expat.ParserCreate("utf-8", " ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartNamespaceDeclHandler = self._namespace
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters

    def _doctype(self, *_: object) -> None:
        raise self._gathering.bad(f"line {self._line} has a document type", hint="Remove <!DOCTYPE …>.")

    def _namespace(self, _: str | None, name: str | None) -> None:
        if name is not None and len(name) > _LONGEST_NAMESPACE:
            what = f"line {self._line} has a namespace of more than {_LONGEST_NAMESPACE} characters"
            raise self._gathering.bad(what, hint="Export the file again.")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _local(tag)
        self._parts += 1 + len(attributes)
        self._gathering.check_parts(self._parts)
        if not self._open:
            if name != "tt":
                raise self._gathering.bad(f"its root is <{name[:40]}>, not <tt>", hint="Export it as TTML or SubRip.")
            self._read_rates(attributes)
        if len(self._open) >= _DEEPEST:
            raise self._gathering.bad(f"line {self._line} is nested too deeply", hint="Export the file again.")
        around = self._open[-1] if self._open else _Element("", 0.0, None, True)
        own = {_local(key): value for key, value in attributes.items()}
        start, end = self._times(attributes, around)
        said = around.said and name not in _UNSAID and own.get("ruby") not in _READINGS
        self._open.append(_Element(name, start, end, said))
        timed = not {"begin", "end", "dur"}.isdisjoint(attributes)
        if name == "agent":
            self._agent = attributes.get(f"{_XML} id")
        elif name == "p" and self._paragraph is None:
            speaker = self._agents.get(own.get("agent", "").partition(" ")[0])
            styled = any(_is_style(key) for key in attributes)
            self._paragraph = _Paragraph(self._line, start, end, timed, speaker, styled)
        elif self._paragraph is not None:
            if name == "br":
                self._say(self._paragraph, "\n")
            elif timed and end is not None:
                self._paragraph.spans.append((start, end))
            self._paragraph.styled |= any(_is_style(key) for key in attributes)

    def _end(self, tag: str) -> None:
        element = self._open.pop()
        if element.name == "agent":
            self._agent = None
        elif element.name == "p" and self._paragraph is not None and not self._is_inside("p"):
            self._close(self._paragraph)
            self._paragraph = None

    def _characters(self, text: str) -> None:
        if self._agent and self._open[-1].name == "name":
            known = self._agents.get(self._agent, "")
            self._agents[self._agent] = known + text[: max(0, _LONGEST_NAME - len(known))]
        elif self._paragraph is not None and self._open[-1].said:
            self._say(self._paragraph, text.replace("\n", " "))

    def _say(self, paragraph: _Paragraph, text: str) -> None:
        paragraph.text.append(text)
        paragraph.length += len(text)
        self._gathering.check_cue(paragraph.number, paragraph.length)

    def _close(self, found: _Paragraph) -> None:
        text = "".join(found.text)
        start, end = found.start, found.end
        if not found.timed and found.spans:
            start, end = min(begin for begin, _ in found.spans), max(until for _, until in found.spans)
        if end is None:
            if not text.strip():
                return
            raise self._gathering.bad(f"the paragraph at line {found.number} has no end", hint="Give it begin and end.")
        times = round(start * 1000), round(end * 1000)
        self._gathering.add(found.number, times, text, speaker=found.speaker, styled=found.styled)

    def _times(self, own: dict[str, str], around: _Element) -> tuple[float, float | None]:
        if own.get("timeContainer") == "seq":
            hint = "Export the file with times that count from the start."
            raise self._gathering.bad(f"line {self._line} is a sequence, which is not supported", hint=hint)
        given = {name: self._seconds(own[name]) for name in ("begin", "end", "dur") if name in own}
        start = around.start + given.get("begin", 0.0)
        ends = [around.end] if around.end is not None else []
        ends += [around.start + given["end"]] if "end" in given else []
        ends += [start + given["dur"]] if "dur" in given else []
        return start, min(ends, default=None)

    def _seconds(self, time: str) -> float:
        time = time.strip()
        if clock := _CLOCK.fullmatch(time):
            hours, minutes, seconds, fraction, frames = clock.groups()
            whole = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
            return whole + float(fraction or 0) + int(frames or 0) / self._frame_rate
        if offset := _OFFSET.fullmatch(time):
            unit = {**_UNITS, "f": 1 / self._frame_rate, "t": 1 / self._tick_rate}[offset[2]]
            return float(offset[1]) * unit
        raise self._gathering.bad(f"line {self._line} has the time {time[:40]!r}, which is not understood", hint=_HINT)

    def _read_rates(self, attributes: dict[str, str]) -> None:
        given = {_local(key): value for key, value in attributes.items() if key.startswith("http") and "param" in key}
        frames = _number(given.get("frameRate")) or 30.0
        top, _, bottom = given.get("frameRateMultiplier", "").replace(":", " ").partition(" ")
        self._frame_rate = frames * (_number(top) or 1.0) / (_number(bottom) or 1.0)
        per_frame = _number(given.get("subFrameRate")) or 1.0
        self._tick_rate = _number(given.get("tickRate")) or (frames * per_frame if "frameRate" in given else 1.0)

    def _is_inside(self, name: str) -> bool:
        return any(element.name == name for element in self._open)

    @property
    def _line(self) -> int:
        return self._above + self.parser.CurrentLineNumber


def _local(name: str) -> str:
    """Return a name without its namespace."""
    return name.rpartition(" ")[2]


def _is_style(key: str) -> bool:
    """Return True of attributes that place a text or show it in another way."""
    namespace, _, name = key.rpartition(" ")
    return "#styl" in namespace or name in ("style", "region")


def _number(text: str | None) -> float | None:
    """Return a positive number of at most six digits; None for anything else."""
    return float(text) if text and re.fullmatch(r"[0-9]{1,6}", text) and int(text) else None
