"""Names that a translation has lost, told from those that it has translated."""

import re
from collections.abc import Sequence

_WORD = re.compile(r"(?<![\w'’-])[^\W\d_]{3,}(?!\w)")
_OPENING = '.!?…:;"“”«»¿¡([—–-'
_NOUNS_TOO = ("de", "lb")
"""Languages that write every noun with a capital."""

_LATIN = re.compile(r"[A-Za-z]")
_ROOT = 4
"""Letters by which forms of a word are the same word: "alemán", "alemanes"."""


def candidates(text: str, language: str) -> list[tuple[int, int]]:
    """Where words stand that are written like names, but for those that begin a sentence, which any word may.

    None in a headline, most of whose words are written so, nor in a language whose nouns are.
    """
    words = list(_WORD.finditer(text))
    if language in _NOUNS_TOO or 2 * sum(match[0].istitle() for match in words) > max(len(words), 3):
        return []
    found = []
    for match in words:
        before = text[: match.start()].rstrip()
        if match[0].istitle() and before and before[-1] not in _OPENING:
            found.append(match.span())
    return found


def are_copied(text: str, translation: str) -> bool:
    """Whether names go from one to the other as they are: where both are written in Latin letters."""
    return bool(_LATIN.search(text) and _LATIN.search(translation))


def absent(names: Sequence[str], translation: str) -> list[str]:
    """Those names that a translation has not as they are."""
    return [name for name in names if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", translation)]


def translated(alone: str, translation: str) -> bool:
    """Whether what a name becomes by itself is in the sentence's translation too: "London" → "Londres".

    What a model does not know it makes something else of each time.
    """
    roots = {word[:_ROOT].casefold() for word in _WORD.findall(alone)}
    return any(word[:_ROOT].casefold() in roots for word in _WORD.findall(translation))
