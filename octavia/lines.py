"""Break text into lines and groups of lines of a bounded width."""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

# These never begin a line in East Asian text.
_CLOSING = frozenset("。、，．！？：；）」』】〉》”’ー…")


@dataclass(frozen=True, slots=True)
class _Token:
    """What is never broken: a word, or a single wide character with its closing punctuation."""

    text: str
    spaced: bool
    columns: int


def group(text: str, *, width: int, lines: int) -> list[list[str]]:
    """Cut a text into the fewest groups of at most ``lines`` lines of at most ``width`` columns, of about equal length.

    Wide East Asian characters take two columns and may be parted; other words are only broken when one alone is wider
    than a line. Control characters are dropped, and any space is one.
    """

    def groups(tokens: Sequence[_Token], narrower: int) -> list[list[_Token]]:
        rows = _wrap(tokens, narrower)
        return [list(chain(*rows[first : first + lines])) for first in range(0, len(rows), lines)]

    parts = _balanced(list(_tokens(text, width)), groups, width)
    return [[_joined(row) for row in _balanced(part, _wrap, width)] for part in parts]


def _balanced(
    tokens: Sequence[_Token], cut: Callable[[Sequence[_Token], int], list[list[_Token]]], width: int
) -> list[list[_Token]]:
    """The cut of the least width that has as few parts as the full width's, so that none is left with a lone word."""
    best = cut(tokens, width)
    low, high = 1, width
    while low < high:
        middle = (low + high) // 2
        parts = cut(tokens, middle)
        if len(parts) <= len(best):
            best, high = parts, middle
        else:
            low = middle + 1
    return best


def _wrap(tokens: Sequence[_Token], width: int) -> list[list[_Token]]:
    rows: list[list[_Token]] = []
    used = 0
    for token in tokens:
        needed = token.columns + token.spaced
        if rows and used + needed <= width:
            rows[-1].append(token)
            used += needed
        else:
            rows.append([token])
            used = token.columns
    return rows


def _joined(row: Sequence[_Token]) -> str:
    return "".join(f" {token.text}" if token.spaced and number else token.text for number, token in enumerate(row))


def _tokens(text: str, width: int) -> Iterator[_Token]:
    clean = "".join(letter for letter in text if letter.isspace() or unicodedata.category(letter) != "Cc")
    for word in clean.split():
        spaced = True
        part, used = "", 0
        for letter in word:
            columns = _columns(letter)
            wide = columns == 2 or (part and _columns(part[-1]) == 2)
            if part and (used + columns > width or (wide and letter not in _CLOSING)):
                yield _Token(part, spaced, used)
                part, used, spaced = "", 0, False
            part, used = part + letter, used + columns
        yield _Token(part, spaced, used)


def _columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
