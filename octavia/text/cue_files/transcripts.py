"""Transcripts of ours: the utterances of a ``transcript.json`` or ``translation.json``, checked row by row."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from octavia.errors import InputError
from octavia.text.cue_files.cues import Gathering, too_long

_HINT: Final = "Send a transcript.json that a job has made."
_NOT_OURS: Final = "it has no utterances with start, end and text"
# Values of JSON for each part that other files may have: ours have each word with its times.
_VALUES_A_PART: Final = 4
_LATEST: Final = 1e9


@dataclass(frozen=True, slots=True)
class _Row:
    """An utterance as it is read; its times are seconds."""

    start: float
    end: float
    text: str
    translation: str | None
    speaker: str | None

    @property
    def spoken(self) -> str:
        return self.text if self.translation is None else self.translation


def read(text: str, gathering: Gathering) -> None:
    """Gather the utterances of a file; those of a translation are its translations.

    Raises:
      InputError: ``bad_subtitles``: It is no JSON, or an utterance lacks a field or has a wrong value, which is named;
        or as ``Gathering.add``.
    """
    value = _parsed(text, gathering)
    whole, given = (value.get("text"), value.get("utterances")) if isinstance(value, dict) else (None, None)
    if not isinstance(given, list):
        raise gathering.bad(_NOT_OURS, hint=_HINT)
    if not isinstance(whole, str | None):
        raise gathering.bad("its text is no string", hint=_HINT)
    rows = [_row(row, number, gathering) for number, row in enumerate(given, 1)]
    translated = False
    if whole is not None:
        if len(whole) > gathering.limits.most_chars:
            raise too_long(gathering.limits.most_chars)
        translated = _says(whole, (row.spoken for row in rows)) and not _says(whole, (row.text for row in rows))
    for number, row in enumerate(rows, 1):
        times = round(row.start * 1000), round(row.end * 1000)
        gathering.add(number, times, row.spoken if translated else row.text, speaker=row.speaker)


def _parsed(text: str, gathering: Gathering) -> Any:
    """Parse a file in which nothing is left to chance: no number that is none, and no field twice."""
    # Each value takes far more memory than its text, and none can be counted while they are parsed.
    gathering.check_parts(sum(map(text.count, ",[{")) // _VALUES_A_PART)
    try:
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        what = f"line {error.lineno} is no JSON: {error.msg}"
    except _Ambiguous as error:
        what = str(error)
    except RecursionError:
        what = "it is nested too deeply"
    except ValueError:
        what = "a number has too many digits"
    raise gathering.bad(what, hint=_HINT)


class _Ambiguous(Exception):
    """The file has JSON that parsers read in different ways."""


def _no_constant(name: str) -> None:
    raise _Ambiguous(f"{name} is no number of JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Ambiguous("an object has a field twice")
    return found


def _row(row: Any, number: int, gathering: Gathering) -> _Row:
    """Check an utterance. Raises ``InputError``, which names it and its field."""

    def bad(what: str) -> InputError:
        return gathering.bad(f"{gathering.named(number)} {what}", hint=_HINT)

    if not isinstance(row, dict):
        raise bad("is no object")
    for name in ("start", "end", "text"):
        if name not in row:
            raise bad(f"has no {name}")
    for name in ("start", "end"):
        if not _is_time(row[name]):
            raise bad(f"has no number of seconds from 0 as its {name}")
    for name in ("text", "translation", "speaker"):
        if not isinstance(row.get(name), str if name == "text" else str | None):
            raise bad(f"has no string as its {name}")
    text, translation = row["text"], row.get("translation")
    gathering.check_cue(number, max(len(text), len(translation or "")))
    return _Row(float(row["start"]), float(row["end"]), text, translation, row.get("speaker"))


def _is_time(value: Any) -> bool:
    # True is a number in Python.
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _LATEST


def _says(whole: str, texts: Iterable[str]) -> bool:
    """Return True if a text has the words of others, in order."""
    words = (word for text in texts for word in text.split())
    return all(one == other for one, other in zip_longest(whole.split(), words))
