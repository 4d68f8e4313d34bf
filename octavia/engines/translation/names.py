"""Names in a sentence: those that its translation lost, as opposed to those that it translated."""

import re
from collections.abc import Iterable

_WORD = re.compile(r"(?<![\w'’-])[^\W\d_]{3,}(?!\w)")
_RUN = re.compile(r"\w+")
_OPENING = '.!?…:;"“”«»¿¡([]—–-'
_NOUNS_TOO = ("de", "lb")
"""Languages that capitalise every noun."""

_LATIN = re.compile(r"[A-Za-z]")
_ROOT = 4
"""First letters that forms of one word have in common: "alemán", "alemanes"."""


def candidates(text: str, language: str) -> list[tuple[int, int]]:
    """Return the spans of capitalised words, except at the beginning of a sentence.

    Headlines, where most words are capitalised, and languages that capitalise every noun have none.
    """
    words = list(_WORD.finditer(text))
    if language in _NOUNS_TOO or 2 * sum(match[0].istitle() for match in words) > max(len(words), 3):
        return []
    found = []
    done = 0
    sign = ""
    for match in words:
        # The last sign before the word: between it and the word before, or that word's own.
        sign = text[done : match.start()].rstrip()[-1:] or sign
        if match[0].istitle() and sign and sign not in _OPENING:
            found.append(match.span())
        done, sign = match.end(), match[0][-1]
    return found


def are_copied(text: str, translation: str) -> bool:
    """Return True if names are copied unchanged: both texts are in Latin letters."""
    return bool(_LATIN.search(text) and _LATIN.search(translation))


def absent(names: Iterable[str], translation: str) -> set[str]:
    """Return the names that are not in a translation unchanged; each is a word, as in ``candidates``."""
    return set(names).difference(_RUN.findall(translation))


def roots(text: str) -> frozenset[str]:
    """Return what forms of its words have in common.

    A name's own translation has a root in common with the sentence's if it was translated: "London" → "Londres". A
    model garbles a name that it does not know in a different way each time.
    """
    return frozenset(word[:_ROOT].casefold() for word in _WORD.findall(text))
