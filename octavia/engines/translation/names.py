"""Names in a sentence: those that its translation lost, as opposed to those that it translated."""

import re
from collections.abc import Sequence

_WORD = re.compile(r"(?<![\w'’-])[^\W\d_]{3,}(?!\w)")
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
    titled = ((match, text[: match.start()].rstrip()) for match in words if match[0].istitle())
    return [match.span() for match, before in titled if before and before[-1] not in _OPENING]


def are_copied(text: str, translation: str) -> bool:
    """Return True if names are copied unchanged: both texts are in Latin letters."""
    return bool(_LATIN.search(text) and _LATIN.search(translation))


def absent(names: Sequence[str], translation: str) -> list[str]:
    """Return the names that are not in a translation unchanged."""
    return [name for name in names if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", translation)]


def translated(alone: str, translation: str) -> bool:
    """Return True if a name's own translation is in the sentence's as well: "London" → "Londres".

    A model garbles a name that it does not know in a different way each time.

    Parameters:
      alone: The translation of the name by itself.
      translation: The translation of the sentence.
    """
    roots = {word[:_ROOT].casefold() for word in _WORD.findall(alone)}
    return any(word[:_ROOT].casefold() in roots for word in _WORD.findall(translation))
