"""Transcripts as files: plain text, JSON, and subtitles in several formats.

``units`` and ``streams`` time the words, ``clauses`` tells where they may be separated, ``layout`` and ``cueing`` cut
them into cues by ``rules``, and ``formats`` writes these. Pure text: imports only ``text``. Begin with ``cues``.
"""

from collections.abc import Iterable, Iterator
from functools import cache

from octavia.subtitles import formats as writers
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
"""The MIME type of each format."""

FORMATS = ("txt", "json", "srt", "vtt")
"""Formats that every job writes."""

SUBTITLE_FORMATS = ("srt", "vtt", "ass", "ttml")
"""Formats with cues."""


def files(
    formats: Iterable[str],
    transcript: Transcript,
    *,
    max_line_length: int = MAX_LINE_LENGTH,
    max_lines: int = MAX_LINES,
    words: bool = False,
) -> Iterator[tuple[str, str]]:
    """Yield the name of each format with a transcript or translation in it.

    Parameters:
      formats: Keys of ``MEDIA_TYPES``.
      max_line_length, max_lines: As in ``subtitles``.
      words: Write the time of each word in WebVTT.
    """

    @cache
    def shown() -> Subtitles:
        utterances, translated, language = transcript.utterances, transcript.translated, transcript.language
        if transcript.given_cues:
            return given(utterances, translated=translated, language=language, max_line_length=max_line_length)
        return subtitles(
            utterances, translated=translated, language=language, max_line_length=max_line_length, max_lines=max_lines
        )

    for format in formats:
        if format == "json":
            # A text without times has no subtitles.
            report = None if transcript.duration is None else shown().report
            yield format, transcript.to_json(subtitles=report.to_dict() if report else None)
        elif format == "txt":
            yield format, writers.txt(transcript.utterances, translated=transcript.translated)
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
    """Return a transcript or translation in one format; parameters as in ``files``."""
    options = {"max_line_length": max_line_length, "max_lines": max_lines}
    return next(text for _, text in files([format], transcript, **options, words=words))


def encode(format: str, shown: Subtitles, *, words: bool = False) -> str:
    """Return subtitles in one of ``SUBTITLE_FORMATS``; raises ``ValueError`` for any other.

    Parameters:
      words: Write the time of each word in WebVTT.
    """
    if format == "srt":
        return writers.srt(shown.cues)
    if format == "vtt":
        return writers.vtt(shown.cues, words=words)
    if format == "ass":
        return writers.ass(shown.cues)
    if format == "ttml":
        return writers.ttml(shown)
    raise ValueError(f"unknown format: {format}")
