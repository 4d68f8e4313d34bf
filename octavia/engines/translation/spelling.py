"""Signs and words that a model's vocabularies cannot spell, and that are therefore written as they are."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from octavia.engines.characters import pictures, straight
from octavia.engines.replacements import Span
from octavia.engines.translation.glossary import NO_SPACES
from octavia.engines.types import Translator

_Span = tuple[int, int]

_WORD = re.compile(rf"[{NO_SPACES}]|[^\s{NO_SPACES}]+")
_COMMON = frozenset(".,;:!?'\"()-/%")
"""Punctuation that every model has its own way with."""

_WRAPPERS = frozenset("[]{}*_~`|\\")
"""Signs that no language has a way of its own with, and that surround words: markup."""

_BULLETS = frozenset("•·‣⁃")
_BRACKETS = ("Ps", "Pe", "Pi", "Pf")
REPLACEMENT = "\ufffd"
"""The replacement character: some letter that an earlier program could not decode."""

_POSSESSIVE = re.compile(r"['’]s?$")


def marks(text: str, translator: Translator, kept: Sequence[Span] = ()) -> list[_Span]:
    """Return the spans between which ``text`` is translated piece by piece: pictures, bullets, and brackets not known.

    One within a word or beside a digit belongs to that word: "I❤NY", "5★".

    Parameters:
      kept: Parts of the text that are kept already, in order; none of them is returned, here and below.
    """
    found = pictures(text)
    for place, sign in enumerate(text):
        if sign in _WRAPPERS:
            splits = not (translator.reads(sign) and translator.writes(sign)) and not _is_alone(text, place)
        else:
            splits = (sign in _BULLETS or unicodedata.category(sign) in _BRACKETS) and not _reads(sign, translator)
        if splits:
            found.append((place, place + 1))
    return _merged(_outside((span for span in sorted(found) if not _is_inside(text, span)), kept), text)


def unread(text: str, translator: Translator, kept: Sequence[Span] = ()) -> list[_Span]:
    """Return the spans of words that have letters or signs which the model cannot read, and of such signs alone."""

    def belongs(sign: str) -> bool:
        return _is_core(sign) or (unicodedata.category(sign) == "Po" and not _reads(sign, translator))

    words = _words(text, belongs, kept)
    return _merged((span for span in words if not _reads(text[slice(*span)], translator)), text)


def lost(text: str, translation: str, translator: Translator, kept: Sequence[Span] = ()) -> list[_Span]:
    """Return the spans of words with signs that the model can read, cannot write, and has lost in ``translation``.

    A currency may have become a word, as may an ampersand between two words.
    """
    fewer = Counter(text) - Counter(translation)
    gone = {sign for sign in fewer if _may_be_lost(sign) and not translator.writes(sign)}
    words = {span: text[slice(*span)] for span in _words(text, _is_core, kept)} if gone else {}
    return _merged((span for span, word in words.items() if gone.intersection(word) and word != "&"), text)


def _words(text: str, belongs: Callable[[str], bool], kept: Sequence[Span]) -> Iterator[_Span]:
    """Yield the spans of words without the punctuation around them, and without an English possessive ending."""
    for start, end in _outside((match.span() for match in _WORD.finditer(text)), kept):
        while start < end and not belongs(text[start]):
            start += 1
        while end > start and not belongs(text[end - 1]):
            end -= 1
        if ending := _POSSESSIVE.search(text[start:end]):
            end = start + ending.start()
        if start < end:
            yield start, end


def _outside(spans: Iterable[_Span], kept: Sequence[Span]) -> Iterator[_Span]:
    """Yield what is left of spans, in order, outside the parts that are kept."""
    first = 0
    for start, end in spans:
        while first < len(kept) and kept[first].end <= start:
            first += 1
        place = first
        while place < len(kept) and kept[place].start < end:
            if start < kept[place].start:
                yield start, kept[place].start
            start = kept[place].end
            place += 1
        if start < end:
            yield start, end


def _reads(word: str, translator: Translator) -> bool:
    """Return True if the model reads a word's letters, in whatever form, and its signs exactly."""
    signs = {sign for sign in word if _is_sign(sign)}
    rest = straight("".join(sign for sign in word if sign not in signs))
    return translator.reads(unicodedata.normalize("NFKC", rest)) and all(map(translator.reads, signs))


def _is_core(sign: str) -> bool:
    return sign.isalnum() or _is_sign(sign) or unicodedata.category(sign)[0] == "M"


def _is_sign(sign: str) -> bool:
    """Return True for symbols, for digits and fractions that are written small, and for ASCII's technical signs."""
    category = unicodedata.category(sign)
    technical = category[0] == "P" and sign.isascii() and sign not in _COMMON
    return technical or category in ("No", "Nl", "Co", "Cn") or category[0] == "S"


def _may_be_lost(sign: str) -> bool:
    return _is_sign(sign) and unicodedata.category(sign) != "Sc"


def _is_alone(text: str, place: int) -> bool:
    return not _before(text, place).strip() and not text[place + 1 : place + 2].strip()


def _is_inside(text: str, span: _Span) -> bool:
    before, after = _before(text, span[0]), text[span[1] : span[1] + 1]
    if text[slice(*span)] == REPLACEMENT:
        return before.isalnum() or after.isalnum()
    return (before.isalnum() and after.isalnum()) or before.isdecimal() or after.isdecimal()


def _before(text: str, place: int) -> str:
    return text[max(place - 1, 0) : place]


def _merged(spans: Iterable[_Span], text: str) -> list[_Span]:
    """Join spans with nothing but spaces between them."""
    merged: list[_Span] = []
    for start, end in sorted(spans):
        if merged and not text[merged[-1][1] : start].strip():
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged
