"""Utterances to subtitle cues, and both to files."""

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from octavia.lines import group
from octavia.transcripts import Transcript
from octavia.utterances import Utterance

MEDIA_TYPES = {
    "txt": "text/plain; charset=utf-8",
    "json": "application/json",
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
}
"""The MIME type of each format that ``write`` knows."""

FORMATS = tuple(MEDIA_TYPES)

MAX_LINE_LENGTH = 42
"""Columns of a line where nothing else is asked for."""

MAX_LINES = 2
"""Lines of a cue where nothing else is asked for."""

_SHORTEST = 0.2
# Invisible, and breaks what a player would take for markup; SubRip has no escapes.
_JOINER = "\u2060"
_SRT_MARKUP = re.compile(r"<(?=\s*/?\s*[A-Za-z])|\{(?=\\|[CcFfoPSsYy]:)|--(?=>)|(?<=\d:\d\d)(?=:\d\d[,.]\d)")
_FULL_STOPS = ("。", "！", "？")


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle: seconds, and its lines."""

    start: float
    end: float
    lines: tuple[str, ...]


def cues(
    utterances: Iterable[Utterance],
    *,
    translated: bool = False,
    max_line_length: int = MAX_LINE_LENGTH,
    max_lines: int = MAX_LINES,
    min_duration: float = 1.0,
) -> list[Cue]:
    """Cues in order, none overlapping the next.

    A text that is too long for one cue gets several of about equal length. They begin when their first word does
    where the words' times are known, else each gets time in proportion to its letters.

    Parameters:
      translated: Take the translations instead of the texts.
      max_line_length: In columns; wide East Asian characters take two.
      min_duration: Seconds a cue stays where the next one leaves it room.
    """
    timed: list[Cue] = []
    for utterance in utterances:
        text = utterance.spoken if translated else utterance.text
        parts = group(text, width=max_line_length, lines=max_lines)
        by_words = not translated or utterance.translation is None
        starts = _starts(utterance, ["".join(part) for part in parts], by_words=by_words)
        ends = [*starts, utterance.end][1:]
        timed += [Cue(start, end, tuple(part)) for part, start, end in zip(parts, starts, ends, strict=True)]
    return _apart(timed, min_duration)


def given_cues(transcript: Transcript, *, max_line_length: int = MAX_LINE_LENGTH) -> list[Cue]:
    """A cue for each utterance, at its times, in as many lines as it takes."""
    shown = []
    for utterance in transcript.utterances:
        text = transcript.text_of(utterance)
        lines = [line for part in group(text, width=max_line_length, lines=MAX_LINES) for line in part]
        shown.append(Cue(utterance.start, utterance.end, tuple(lines)))
    return shown


def write(
    format: str, transcript: Transcript, *, max_line_length: int = MAX_LINE_LENGTH, max_lines: int = MAX_LINES
) -> str:
    """A transcript or a translation as a file's text.

    Parameters:
      format: One of ``FORMATS``.
      max_line_length, max_lines: Of subtitles, as ``cues`` has them.
    """
    if format == "json":
        return transcript.to_json()
    if format == "txt":
        return to_txt(transcript.utterances, translated=transcript.translated)
    if transcript.given_cues:
        shown = given_cues(transcript, max_line_length=max_line_length)
    else:
        shown = cues(
            transcript.utterances,
            translated=transcript.translated,
            max_line_length=max_line_length,
            max_lines=max_lines,
        )
    if format == "srt":
        return to_srt(shown)
    if format == "vtt":
        return to_vtt(shown)
    raise ValueError(f"unknown format: {format}")


def to_srt(cues: Iterable[Cue]) -> str:
    """SubRip. What players would take for markup is kept as text with an invisible word joiner (U+2060) inside."""
    return "".join(
        f"{number}\n{_stamp(cue.start, ',')} --> {_stamp(cue.end, ',')}\n{_srt_text(cue.lines)}\n\n"
        for number, cue in enumerate(cues, 1)
    )


def to_vtt(cues: Iterable[Cue]) -> str:
    """WebVTT, with its escapes."""
    return "WEBVTT\n\n" + "".join(
        f"{_stamp(cue.start, '.')} --> {_stamp(cue.end, '.')}\n{_vtt_text(cue.lines)}\n\n" for cue in cues
    )


def to_txt(utterances: Iterable[Utterance], *, translated: bool = False) -> str:
    """Plain text, laid out as the source was: a recording's utterances have a line each."""
    text = ""
    breaks = 0
    for utterance in utterances:
        said = utterance.spoken if translated else utterance.text
        breaks = max(breaks, utterance.breaks)
        if said and text:
            text += "\n" * breaks or ("" if text.endswith(_FULL_STOPS) else " ")
        if said:
            text += said
            breaks = 0
    return f"{text}\n" if text else ""


def _starts(utterance: Utterance, parts: Sequence[str], *, by_words: bool) -> list[float]:
    """When each part of an utterance's text begins; letters are counted, space is not."""
    starts = [0]
    for part in parts:
        starts.append(starts[-1] + _letters(part))
    letters = starts.pop()
    known = [word.start for word in utterance.words for _ in range(_letters(word.text))] if by_words else []
    if len(known) == letters:
        times = [known[start] for start in starts]
    else:
        times = [utterance.start + (utterance.end - utterance.start) * start / letters for start in starts]
    return [utterance.start, *times[1:]] if times else []


def _letters(text: str) -> int:
    return sum(not letter.isspace() for letter in text)


def _apart(timed: Sequence[Cue], min_duration: float) -> list[Cue]:
    """The same cues, each after the one before, long enough to read where there is room, and never without time."""
    placed: list[Cue] = []
    free = 0.0
    for cue, following in zip(timed, [*timed, None][1:], strict=True):
        start = max(cue.start, free)
        end = max(cue.end, start + min_duration)
        if following is not None:
            end = min(end, max(following.start, start + _SHORTEST))
        placed.append(Cue(start, end, cue.lines))
        free = end
    return placed


def _stamp(seconds: float, point: str) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{point}{milliseconds:03d}"


def _srt_text(lines: Iterable[str]) -> str:
    return "\n".join(_SRT_MARKUP.sub(lambda mark: mark.group() + _JOINER, line) for line in lines)


def _vtt_text(lines: Iterable[str]) -> str:
    return "\n".join(html.escape(line, quote=False) for line in lines)
