"""Subtitle files that clients send: their format recognised by its first bytes, and read into cues."""

import codecs
import html
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final, Literal

import pysubs2

from octavia.errors import InputError
from octavia.text.lines import clean
from octavia.text.utterances import Utterance, is_said

CueFormat = Literal["srt", "vtt", "json"]

HEAD: Final = 4096
"""The first bytes of a file, enough to recognise its format."""

LONGEST_SPEAKER: Final = 100
"""The most characters kept of a speaker's name."""

_FEW_CUES: Final = 20
# The library searches the whole cue for the end of each tag, so long cues take long.
_CUE_CHARS: Final = 4000
_BYTES_A_CHAR: Final = 64
# The least a cue counts: cues without words cost time as well.
_LEAST_CHARS: Final = 10
_TIMES: Final = re.compile(r"\s*\d[^>]*-->")
_VTT: Final = re.compile(r"\s*WEBVTT(?:[ \t\r\n]|$)")
_SRT: Final = re.compile(r"\s*\d+[ \t]*\r?\n[ \t]*\d{1,3}:\d\d:\d\d[,.]\d{1,3}[ \t]*-->")
_JSON: Final = re.compile(r'\s*\{\s*"language"\s*:\s*(?:"[\w-]{1,20}"|null)\s*,\s*"duration"\s*:')
# The library takes every brace for markup; only braces such as {\an8} and MicroDVD's {y:i} are.
_BRACE: Final = re.compile(r"\{(?!\\|[CcFfoPSsYy]:)")
_KEPT_BRACE: Final = "\ue000"
# WebVTT's voice tag names the speaker; the library drops it.
_VOICE_TAG: Final = re.compile(r"<v(?:\.[^\s>]*)?[ \t]+([^>\n]+)>")
_KEPT_VOICE: Final = "\ue001{}\ue002"
_SPEAKER: Final = re.compile(r"\ue001([^\ue002]*)\ue002")
# A time inside a WebVTT cue: when the word after it is said.
_TIME_TAG: Final = re.compile(r"<(?:\d+:)?\d\d:\d\d\.\d{3}>")
_BOMS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True, slots=True)
class GivenCue:
    """A cue of a client's file: times in seconds, text in one line without markup, and the speaker if named."""

    start: float
    end: float
    text: str
    speaker: str | None = None


def recognised(head: bytes) -> CueFormat | None:
    """Return the format of a file with cues: SubRip, WebVTT or a transcript of ours; None for any other file.

    Parameters:
      head: The file's first ``HEAD`` bytes, or all of a shorter file.
    """
    encoding = next((encoding for bom, encoding in _BOMS if head.startswith(bom)), "utf-8")
    # The head may end inside a letter.
    text = head.decode(encoding, "replace").removeprefix("\ufeff")
    formats: tuple[tuple[CueFormat, re.Pattern[str]], ...] = (("vtt", _VTT), ("srt", _SRT), ("json", _JSON))
    return next((format for format, pattern in formats if pattern.match(text)), None)


def check_size(size: int, *, most_chars: int) -> None:
    """Raise ``InputError`` (``text_too_long``) if a file, not read yet, is too large for ``most_chars`` characters."""
    if size > HEAD + most_chars * _BYTES_A_CHAR:
        raise _too_long(most_chars)


def read(data: bytes, format: CueFormat, *, longest_seconds: float, most_chars: int) -> list[GivenCue]:
    """Return the cues of a file, ordered by start.

    Parameters:
      longest_seconds: The latest time at which a cue may end.
      most_chars: The most characters of all cues together.

    Raises:
      InputError: ``bad_subtitles``, ``text_too_long`` or ``media_too_long``.
    """
    text = _decoded(data).replace("\r\n", "\n").replace("\r", "\n")
    cues = _of_json(text) if format == "json" else _of_subtitles(text, format)
    if not any(cue.text for cue in cues):
        raise _bad("it has no words", hint="Send SubRip, WebVTT, or a transcript.json of ours.")
    for number, cue in enumerate(cues, 1):
        if not 0 <= cue.start <= cue.end:
            raise _bad(f"cue {number} ends before it begins", hint="Correct its times.")
    if max(cue.end for cue in cues) > longest_seconds:
        raise InputError(
            f"The subtitles last longer than {longest_seconds:,.0f} s.",
            code="media_too_long",
            hint="Send them in parts, or have the operator raise OCTAVIA_MAX_MEDIA_SECONDS.",
        )
    if sum(max(len(cue.text), _LEAST_CHARS) for cue in cues) > most_chars:
        raise _too_long(most_chars)
    return sorted(cues, key=lambda cue: cue.start)


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


def utterances(rows: Iterable[dict[str, Any]], *, chunk: int) -> list[Utterance]:
    """Make the utterances of a chunk from ``to_rows``, one for each cue; ``[music]`` and the like are not speech."""
    return [
        Utterance.from_dict({**row, "id": f"{chunk}-{number}", "chunk": chunk, "speech": is_said(row["text"])})
        for number, row in enumerate(rows)
    ]


def _decoded(data: bytes) -> str:
    encoding = next((encoding for bom, encoding in _BOMS if data.startswith(bom)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise _bad(
            "it is neither UTF-8 nor UTF-16 with a byte order mark", hint="Convert it: iconv -f windows-1252 -t utf-8."
        ) from None
    if "\0" in text:
        raise _bad("it contains a NUL character", hint="Send a text file.")
    return text


def _of_subtitles(text: str, format: CueFormat) -> list[GivenCue]:
    lines = text.split("\n")
    timed = [number for number, line in enumerate(lines, 1) if _TIMES.match(line)]
    for first, following in pairwise([0, *timed, len(lines)]):
        if sum(map(len, lines[first:following])) > _CUE_CHARS:
            raise _bad(f"the cue at line {max(first, 1)} is longer than {_CUE_CHARS} characters", hint="Split the cue.")
    kept = _BRACE.sub(_KEPT_BRACE, text)
    if format == "vtt":
        kept = _VOICE_TAG.sub(lambda tag: _KEPT_VOICE.format(tag[1]), kept)
    found = pysubs2.SSAFile.from_string(kept, format_=format)
    if len(found) != len(timed):
        # The library skips lines that it does not understand; a cue would be lost silently.
        wrong = next((number for number in timed if not _times_of(lines[number - 1], format)), timed[0] if timed else 1)
        raise _bad(f"line {wrong} is not understood: {lines[wrong - 1][:80]!r}", hint="Correct the line or remove it.")
    return [_cue(event, format) for event in found]


def _cue(event: pysubs2.SSAEvent, format: CueFormat) -> GivenCue:
    named = _SPEAKER.search(event.plaintext)
    text = _plain(_SPEAKER.sub("", event.plaintext), format)
    return GivenCue(event.start / 1000, event.end / 1000, text, _named(named[1]) if named else None)


def _named(speaker: str) -> str | None:
    """Return a speaker's name in one line, cut to ``LONGEST_SPEAKER``; None if it is empty."""
    return " ".join(html.unescape(speaker).split())[:LONGEST_SPEAKER] or None


def _times_of(line: str, format: CueFormat) -> bool:
    return len(pysubs2.SSAFile.from_string(f"WEBVTT\n\n{line}\nx\n", format_=format)) == 1


def _plain(text: str, format: CueFormat) -> str:
    text = text.replace(_KEPT_BRACE, "{")
    if format == "vtt":
        text = html.unescape(_TIME_TAG.sub("", text))
    return " ".join(text.replace("\u2060", "").split())


def _of_json(text: str) -> list[GivenCue]:
    try:
        value = json.loads(text)
        rows = value["utterances"]
        texts, others = (" ".join(str(row.get(name) or "") for row in rows).split() for name in ("text", "translation"))
        # In a translation's file the cues are its translations.
        translated = texts != others == str(value.get("text")).split()
        return [_given({**row, "text": row["translation"]} if translated else row) for row in rows]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        raise _bad(
            "it has no utterances with start, end and text", hint="Send a transcript.json that a job has made."
        ) from None


def _given(row: dict[str, Any]) -> GivenCue:
    text, speaker = row["text"], row.get("speaker") or ""
    if not isinstance(text, str) or not isinstance(speaker, str):
        raise TypeError("text and speaker must be strings")
    return GivenCue(float(row["start"]), float(row["end"]), " ".join(clean(text).split()), _named(clean(speaker)))


def _too_long(most_chars: int) -> InputError:
    return InputError(
        f"The subtitles have more than {most_chars:,} characters.",
        code="text_too_long",
        hint="Send them in parts, or have the operator raise OCTAVIA_MAX_TEXT_CHARS.",
    )


def _bad(what: str, *, hint: str) -> InputError:
    return InputError(f"The subtitles cannot be read: {what}.", code="bad_subtitles", hint=hint, field="file")
