"""What was said as files: plain text, JSON, and subtitles in several formats.

``units`` and ``streams`` say when what is said, ``layout`` and ``cueing`` cut it into cues by ``rules``, ``report``
counts what they could not keep to, and a module for each format writes them.
"""

from collections.abc import Iterable, Iterator
from functools import cache

from octavia.subtitles import ass, srt, ttml, txt, vtt
from octavia.subtitles.cues import Subtitles, bilingual, given, subtitles
from octavia.subtitles.rules import MAX_LINE_LENGTH, MAX_LINES
from octavia.text.transcripts import Transcript

__all__ = [
    "FORMATS",
    "MAX_LINES",
    "MAX_LINE_LENGTH",
    "MEDIA_TYPES",
    "SUBTITLE_FORMATS",
    "bilingual",
    "encode",
    "files",
    "subtitles",
    "write",
]

MEDIA_TYPES = {
    "txt": "text/plain; charset=utf-8",
    "json": "application/json",
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "ass": "text/x-ass; charset=utf-8",
    "ttml": "application/ttml+xml; charset=utf-8",
}
"""The MIME type of each format that there is."""

FORMATS = ("txt", "json", "srt", "vtt")
"""Those that every job writes."""

SUBTITLE_FORMATS = ("srt", "vtt", "ass", "ttml")
"""Those that have cues."""


def files(
    formats: Iterable[str],
    transcript: Transcript,
    *,
    max_line_length: int = MAX_LINE_LENGTH,
    max_lines: int = MAX_LINES,
    words: bool = False,
) -> Iterator[tuple[str, str]]:
    """A transcript or a translation as the text of a file in each format.

    Parameters:
      formats: Of ``MEDIA_TYPES``.
      max_line_length, max_lines: As ``subtitles`` has them.
      words: Say in WebVTT when each word is said.
    """

    @cache
    def shown() -> Subtitles:
        utterances, translated, language = transcript.utterances, transcript.translated, transcript.language
        if transcript.given_cues:
            return given(utterances, translated=translated, language=language, max_line_length=max_line_length)
        return subtitles(
            utterances,
            translated=translated,
            language=language,
            max_line_length=max_line_length,
            max_lines=max_lines,
        )

    for format in formats:
        if format == "json":
            # A text without times has no subtitles.
            report = None if transcript.duration is None else shown().report
            yield format, transcript.to_json(subtitles=report.to_dict() if report else None)
        elif format == "txt":
            yield format, txt.write(transcript.utterances, translated=transcript.translated)
        else:
            yield format, encode(format, shown(), words=words)


def write(
    format: str,
    transcript: Transcript,
    *,
    max_line_length: int = MAX_LINE_LENGTH,
    max_lines: int = MAX_LINES,
    words: bool = False,
) -> str:
    """One of ``files``."""
    options = {"max_line_length": max_line_length, "max_lines": max_lines}
    return next(text for _, text in files([format], transcript, **options, words=words))


def encode(format: str, shown: Subtitles, *, words: bool = False) -> str:
    """Subtitles as a file's text.

    Parameters:
      format: One of ``SUBTITLE_FORMATS``.
      words: Say in WebVTT when each word is said.
    """
    if format == "srt":
        return srt.write(shown.cues)
    if format == "vtt":
        return vtt.write(shown.cues, words=words)
    if format == "ass":
        return ass.write(shown.cues)
    if format == "ttml":
        return ttml.write(shown)
    raise ValueError(f"unknown format: {format}")
