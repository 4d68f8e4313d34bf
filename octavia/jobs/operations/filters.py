"""The filter language: ``owner:ann status:failed,canceled -code:worker_lost meta.customer:42 age:<7d interview``.

Terms are separated by spaces, and a job must meet all of them. A term is a word, a colon and values, of which a job
must have one; or a value alone, which is looked for in names and ids. A minus sign before a term negates it. Values
with spaces, commas or colons stand in double quotes, in which a backslash takes the next sign as it is.
"""

import difflib
from dataclasses import dataclass
from typing import Any, Final

from octavia.errors import InputError
from octavia.jobs.operations.words import ANYTHING, FIELD, META, WORDS, Word

MOST_CHARS: Final = 1000
MOST_TERMS: Final = 20
MOST_VALUES: Final = 20

_CLOSE: Final = 0.6
_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Term:
    """One condition.

    Parameters:
      field: The metadata field that ``word`` is about; empty for other words.
      values: The job must have one of them, or none if the term is ``negated``.
    """

    word: Word
    field: str
    values: tuple[Any, ...]
    negated: bool


def parse(text: str) -> tuple[Term, ...]:
    """Read a filter, in time proportional to its length; an empty one has no terms and means all jobs.

    Raises:
      InputError: ``unknown_filter_word`` or ``invalid_filter``: the message names the word and its place.
    """
    if len(text) > MOST_CHARS:
        raise _invalid(f"The filter has {len(text):,} characters.", f"At most {MOST_CHARS:,} are taken.")
    if "\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        raise _invalid("The filter contains a NUL or an unpaired surrogate.", "Remove it.")
    scanner, terms = _Scanner(text), list[Term]()
    while scanner.skip_spaces():
        if len(terms) == MOST_TERMS:
            raise _invalid(f"The filter has more than {MOST_TERMS} terms.", "Give several values to one word: a,b,c.")
        terms.append(_term(scanner))
    return tuple(terms)


class _Scanner:
    """A text, and the place up to which it has been read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.place = 0

    def skip_spaces(self) -> bool:
        """Go on to the next term; False if there is none."""
        while self.place < len(self._text) and self._text[self.place].isspace():
            self.place += 1
        return self.place < len(self._text)

    def take(self, sign: str) -> bool:
        """Go past a sign, if it comes next."""
        found = self._text.startswith(sign, self.place)
        self.place += len(sign) if found else 0
        return found

    def plain(self, ends: str) -> str:
        """Read up to a space, or one of these signs."""
        begin = self.place
        while self.place < len(self._text) and not (self._text[self.place].isspace() or self._text[self.place] in ends):
            self.place += 1
        return self._text[begin : self.place]

    def quoted(self) -> str | None:
        """Read a text in quotes; None if there is none here. Raises ``InputError`` if it does not end."""
        begin = self.place
        if not self.take('"'):
            return None
        signs: list[str] = []
        while not self.take('"'):
            self.take("\\")
            if self.place >= len(self._text):
                raise _invalid(f"The quote at character {begin + 1} does not end.", 'Write " after its text.')
            signs.append(self._text[self.place])
            self.place += 1
        return "".join(signs)


def _term(scanner: _Scanner) -> Term:
    negated = scanner.take("-")
    place = scanner.place
    if (text := scanner.quoted()) is not None:
        return _looked_for(text, place, negated=negated)
    name = scanner.plain(':"')
    field_name = scanner.quoted() if name.lower() == META else None
    if not scanner.take(":"):
        if field_name is not None:
            raise _invalid(f"{_at(name + field_name, place)} lacks a colon and a value.", f"It takes {FIELD.takes}.")
        return _looked_for(name + scanner.plain(""), place, negated=negated)
    name += field_name or ""
    word, field = _word(name, place)
    return Term(word, field, tuple(_values(scanner, word, name, place)), negated)


def _word(name: str, place: int) -> tuple[Word, str]:
    known = name.lower()
    if known.startswith(META) and len(name) > len(META):
        return FIELD, name[len(META) :]
    if known not in WORDS:
        close = difflib.get_close_matches(known[:_SHOWN], WORDS, 1, _CLOSE)
        meant = f"Did you mean {close[0]}? " if close else ""
        raise InputError(
            f"There is no filter word {_at(name, place)}.",
            code="unknown_filter_word",
            hint=f"{meant}The words are {', '.join(WORDS)} and {META}FIELD. Put text with a colon in double quotes.",
            field="filter",
        )
    return WORDS[known], ""


def _values(scanner: _Scanner, word: Word, name: str, place: int) -> "list[Any]":
    values: list[Any] = []
    while not values or scanner.take(","):
        if len(values) == MOST_VALUES:
            raise _invalid(f"{_at(name, place)} has more than {MOST_VALUES} values.", "Make the filter wider.")
        begin = scanner.place
        text = scanner.quoted()
        if text is None:
            text = scanner.plain(',"')
            if not text:
                raise _invalid(f"{_at(name, place)} lacks a value.", f"It takes {word.takes}.")
        try:
            values.append(word.read(text))
        except ValueError:
            message = f"{_at(name, place)} does not take {_at(text, begin)}."
            raise _invalid(message, f"It takes {word.takes}.") from None
    if scanner.plain(""):
        raise _invalid(f"Something follows the quote in {_at(name, place)}.", "Put a space or a comma after the quote.")
    return values


def _looked_for(text: str, place: int, *, negated: bool) -> Term:
    if not text:
        raise _invalid(f"There is nothing to look for at character {place + 1}.", "Write a word, or text to look for.")
    return Term(ANYTHING, "", (text,), negated)


def _at(text: str, place: int) -> str:
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return f'"{shown}" (character {place + 1})'


def _invalid(message: str, hint: str) -> InputError:
    return InputError(message, code="invalid_filter", hint=hint, field="filter")
