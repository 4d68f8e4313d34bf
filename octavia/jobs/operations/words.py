"""The words of the filter language: what each compares, and the values that it takes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from octavia.jobs.tables.states import JobStatus, JobType, Priority, Queue, Stage

META: Final = "meta."
"""The start of the words for metadata; the name of a field follows."""

_AGE: Final = re.compile(r"([<>])([0-9]{1,6})([smhdw])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_OLDEST: Final = timedelta(days=36_500)
_ID: Final = re.compile(r"[0-9a-f]{1,32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Age:
    """A bound on an age; ``older``: at least as old, else younger."""

    older: bool
    than: timedelta


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the language.

    Parameters:
      meaning: What a job must have, for the completion of what an operator types.
      takes: The values, in words, for errors.
      read: Makes the value to compare with from its text. Raises ``ValueError`` for a bad one.
      values: All values, or examples, if they are known.
    """

    name: str
    meaning: str
    takes: str
    read: Callable[[str], Any]
    values: tuple[str, ...] = ()


def read_age(text: str) -> Age:
    """Read an age such as ``>2h``. Raises ``ValueError``."""
    found = _AGE.fullmatch(text)
    if found is None:
        raise ValueError(text)
    than = timedelta(**{_UNITS[found[3]]: int(found[2])})
    if than > _OLDEST:
        raise ValueError(text)
    return Age(found[1] == ">", than)


def read_id(text: str) -> str:
    """Read an id or its beginning: its hexadecimal digits without dashes. Raises ``ValueError``."""
    digits = text.lower().replace("-", "")
    if _ID.fullmatch(digits) is None:
        raise ValueError(text)
    return digits


def _one_of(name: str, meaning: str, kind: type[StrEnum]) -> Word:
    values = tuple(member.value for member in kind)
    return Word(name, meaning, f"one of {', '.join(values)}", lambda text: kind(text.lower()), values)


def _text(name: str, meaning: str, takes: str) -> Word:
    return Word(name, meaning, takes, str)


_AGE_TAKES: Final = "an age such as >2h or <7d, in s, m, h, d or w"

WORDS: Final = {
    word.name: word
    for word in (
        _text("owner", "Belongs to this owner.", "the name of an owner"),
        _one_of("status", "Is in this state.", JobStatus),
        _one_of("type", "Is of this type.", JobType),
        _text("code", "Failed with this error code.", "an error code such as worker_lost"),
        _one_of("stage", "Is at this stage, or ended there.", Stage),
        _one_of("queue", "Has a task that waits in this queue or runs.", Queue),
        _text("worker", "Runs or has run on this worker, or on this host.", "a worker's id, or a host"),
        _one_of("priority", "Has this priority.", Priority),
        _text("language", "Has this source or target language.", "a language code such as es"),
        _text("name", "Has this in the name of its file.", "a part of a file's name"),
        Word("id", "Has this id, or one that begins so.", "an id, or its first digits", read_id),
        Word("age", "Was submitted so long ago.", _AGE_TAKES, read_age, ("<1h", "<1d", ">1d", ">7d")),
        Word("ended", "Ended so long ago.", _AGE_TAKES, read_age, ("<1h", "<1d", ">1d", ">7d")),
    )
}
"""Every word but those for metadata, in the order in which people are told of them."""

FIELD: Final = _text(META, "Has this value in a field of its metadata.", "the value of that field")
"""The words for metadata; ``meta.customer:42`` asks for ``{"customer": 42}`` or ``{"customer": "42"}``."""

ANYTHING: Final = Word("", "Has this in the name of its file, or an id that begins so.", "text to look for", str)
"""A value without a word."""
