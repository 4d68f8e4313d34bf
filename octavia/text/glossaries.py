"""A user's glossary, checked and read from a file: terms, and the words that translations must use for them."""

import csv
import json
import unicodedata
from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import Any, Final

from octavia.errors import InputError
from octavia.text.line_ends import unified

MOST_TERMS: Final = 200
LONGEST: Final = 100
"""The most characters of a term, and of its translation."""

_LARGEST_FILE: Final = 1024 * 1024
_EXAMPLE: Final = 'Send a JSON object such as {"speech model": "modelo de voz"}.'
_DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}


def checked(terms: Any) -> dict[str, str]:
    """Return the terms and their translations, stripped of white space.

    Raises:
      InputError: ``invalid_field``: ``terms`` is not a mapping of strings to strings or has too many of them, or a term
        is empty, too long, repeated, without a letter or digit, or contains a control character.
    """
    if not isinstance(terms, dict):
        raise _wrong("The glossary is not a JSON object.")
    return _checked((*pair, "") for pair in terms.items())


def read(path: Path) -> dict[str, str]:
    """Read a glossary file: a JSON object, or a term and its translation on each line of a ``.csv`` or ``.tsv`` file.

    Raises:
      InputError: ``glossary_unreadable``: the file is missing or in another format; or as in ``checked``.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise _unreadable(path, f"is larger than {_LARGEST_FILE:,} bytes")
        # Their numbers are those of editors, whatever ends the lines.
        text = unified(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise _unreadable(path, "is not UTF-8") from None
    delimiter = _DELIMITERS.get(path.suffix.lower())
    if delimiter is not None:
        return _checked(_pairs(path, text, delimiter))
    try:
        return checked(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, f"is not JSON: {error}") from None


def _pairs(path: Path, text: str, delimiter: str) -> Iterable[tuple[str, str, str]]:
    """Yield each term, its translation, and the line in which they begin."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for row in reader:
            first, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != 2:
                raise _unreadable(path, f"has {len(row)} columns in line {first}")
            yield row[0], row[1], f" in line {first}"
    except csv.Error as error:
        raise _unreadable(path, f"is broken in line {line}: {error}") from None


def _checked(terms: Iterable[tuple[Any, Any, str]]) -> dict[str, str]:
    """Return checked terms; each is given with its translation and, for messages, its place in the glossary."""
    found: dict[str, str] = {}
    for *given, place in terms:
        if not all(isinstance(text, str) for text in given):
            raise _wrong(f"The translation of {str(given[0])[:LONGEST]!r} in the glossary{place} is not a string.")
        term, written = (text.strip() for text in given)
        for text in (term, written):
            if not text or len(text) > LONGEST:
                raise _wrong(
                    f"{text[:LONGEST]!r} in the glossary{place} has {len(text)} characters instead of 1 to {LONGEST}."
                )
            if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in text):
                raise _wrong(f"{text!r} in the glossary{place} contains a control character or half a surrogate pair.")
        if not any(sign.isalnum() for sign in term):
            raise _wrong(f"The term {term!r} of the glossary{place} has no letter or digit.")
        if term in found:
            raise _wrong(f"The term {term!r}{place} is in the glossary twice.")
        found[term] = written
        if len(found) > MOST_TERMS:
            raise _wrong(f"The glossary has more than {MOST_TERMS} terms.")
    return found


def _wrong(message: str) -> InputError:
    hint = f"{_EXAMPLE} At most {MOST_TERMS} terms; terms and translations of at most {LONGEST} characters."
    return InputError(message, code="invalid_field", hint=hint, field="glossary")


def _unreadable(path: Path, what: str) -> InputError:
    return InputError(
        f"The glossary {path} {what}.",
        code="glossary_unreadable",
        hint="Give a JSON object, or a .csv or .tsv file with a term and its translation on each line.",
    )
