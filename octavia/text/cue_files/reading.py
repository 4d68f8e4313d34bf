"""Reads subtitle files into cues, each of which becomes an utterance."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from octavia.text import dialogue
from octavia.text.cue_files import (
    lyrics,
    microdvd,
    rolling,
    subrip,
    substation,
    subviewer,
    transcripts,
    ttml,
    webvtt,
)
from octavia.text.cue_files.cues import NAMES, CueFormat, Gathering, Limits, bad, too_long
from octavia.text.cue_files.encodings import decoded
from octavia.text.utterances import Utterance, is_said

_READERS: Final[dict[CueFormat, Callable[[str, Gathering], None]]] = {
    "srt": subrip.read,
    "vtt": webvtt.read,
    "ass": substation.read,
    "ttml": ttml.read,
    "sbv": subviewer.read,
    "lrc": lyrics.read,
    "sub": microdvd.read,
    "json": transcripts.read,
}
_FEW_CUES: Final = 20
_BYTES_A_CHAR: Final = 64
_SLACK: Final = 4096


@dataclass(frozen=True, slots=True)
class GivenCue:
    r"""A cue of a client's file.

    Attributes:
      start, end: Seconds.
      text: Without markup, in one line; of a dialogue, a line for each speaker, with ``\n`` between them.
      speaker: The speaker, if named.
    """

    start: float
    end: float
    text: str
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class GivenCues:
    """The cues of a file, ordered by start, and warnings with ``code`` and ``message`` about what is not kept."""

    cues: tuple[GivenCue, ...]
    warnings: tuple[dict[str, str], ...] = ()


def check_size(size: int, *, most_chars: int) -> None:
    """Raise ``InputError`` (``text_too_long``) if a file, not read yet, is too large for ``most_chars`` characters."""
    if size > _SLACK + most_chars * _BYTES_A_CHAR:
        raise too_long(most_chars)


def read(
    data: bytes, format: CueFormat, *, longest_seconds: float, most_chars: int, language: str | None = None
) -> GivenCues:
    """Return the cues of a file. The time that this takes grows in proportion to the file.

    Parameters:
      longest_seconds: The latest time at which a cue may end.
      most_chars: The most characters of all cues together.
      language: Of the text, ISO 639-1; older encodings than Unicode are read only with it.

    Raises:
      InputError: ``bad_subtitles``, ``text_too_long`` or ``media_too_long``.
    """
    gathering = Gathering(format, Limits(longest_seconds, most_chars))
    _READERS[format](decoded(data, format, language), gathering)
    if not any(cue.lines for cue in gathering.cues):
        what = "it has no words" if gathering.cues else "it has no words with times"
        raise bad(format, what, hint=f"Check the file, or convert it to SubRip; {', '.join(NAMES.values())} are read.")
    found = sorted(gathering.cues, key=lambda cue: cue.start)
    said = found if format == "json" else rolling.unrolled(found)
    cues = (GivenCue(cue.start / 1000, cue.end / 1000, dialogue.joined(cue.lines), cue.speaker) for cue in said)
    return GivenCues(tuple(cues), tuple(_warnings(gathering, len(found), len(said))))


def chunks(cues: Sequence[GivenCue], *, most_chars: int) -> list[list[GivenCue]]:
    """Group cues into chunks of at most ``most_chars`` characters and 20 cues; a longer cue has a chunk of its own."""
    groups: list[list[GivenCue]] = []
    for cue in cues:
        full = groups and (
            len(groups[-1]) >= _FEW_CUES or sum(len(one.text) for one in groups[-1]) + len(cue.text) > most_chars
        )
        if not groups or full:
            groups.append([])
        groups[-1].append(cue)
    return groups


def to_rows(cues: Iterable[GivenCue]) -> list[dict[str, Any]]:
    """Return cues as JSON objects."""
    return [asdict(cue) for cue in cues]


def from_rows(rows: Any) -> list[GivenCue]:
    """Return the cues of ``to_rows``, from another process. Raises ``ValueError`` if they are no such rows."""
    try:
        cues = [GivenCue(**row) for row in rows]
    except TypeError as error:
        raise ValueError("no rows of cues") from error
    for cue in cues:
        times = isinstance(cue.start, float) and isinstance(cue.end, float) and 0 <= cue.start <= cue.end
        if not times or not isinstance(cue.text, str) or not isinstance(cue.speaker, str | None):
            raise ValueError("a row has a wrong value")
    return cues


def utterances(rows: Iterable[dict[str, Any]], *, chunk: int) -> list[Utterance]:
    """Make the utterances of a chunk from ``to_rows``, one for each cue; ``[music]`` and the like are not speech."""
    return [
        Utterance.from_dict({**row, "id": f"{chunk}-{number}", "chunk": chunk, "speech": is_said(row["text"])})
        for number, row in enumerate(rows)
    ]


def _warnings(gathering: Gathering, found: int, said: int) -> Iterable[dict[str, str]]:
    if lines := gathering.left_out:
        message = f"{_lines(lines)} left out: no cue has {'it' if len(lines) == 1 else 'them'}."
        yield {"code": "lines_left_out", "message": message}
    if lines := gathering.moved:
        message = f"The cue at line {lines[0]} begins before 0 s, and was cut there."
        yield {"code": "times_changed", "message": message}
    if lines := gathering.unstyled:
        message = f"Positions and styles of {_count(len(lines), 'cue')} are not kept, the first at line {lines[0]}."
        yield {"code": "styles_dropped", "message": message}
    if said < found:
        message = f"Rolling captions: {_count(found, 'cue')} that repeat lines were joined to {said}."
        yield {"code": "captions_joined", "message": message}


def _lines(numbers: Sequence[int]) -> str:
    """Name the first of some lines as the subject of a sentence in the past."""
    if len(numbers) == 1:
        return f"Line {numbers[0]} was"
    return f"{len(numbers):,} lines, the first of them line {numbers[0]}, were"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
