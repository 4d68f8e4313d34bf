"""Boundaries between the pieces of a text, from nothing to the end of a sentence: where it may be separated."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from itertools import accumulate
from typing import Final

from octavia.text.lines import Piece, letters, unspaced
from octavia.text.sentences import segment


class Boundary(IntEnum):
    """The boundary between two pieces; from ``COMMA`` on, a clause ends."""

    NONE = 0
    CONJUNCTION = 1
    COMMA = 2
    STRONG = 3
    SENTENCE = 4


_STRONG: Final = (*"!?;:…—–！？；：。؟؛។།။", "...")
_WEAK: Final = tuple(",，、،)）")
_QUOTES: Final = "\"'”’»›」』】〉》〗"
_OPENING: Final = ("(", "（", "—", "–")

_CONJUNCTIONS: Final = """
en and but or nor because although though unless until while when where which who whose that if since so than as whether
es y e o u pero sino porque aunque que cuando donde como si mientras quien quienes cual pues ni
fr et ou mais car donc ni que qui quand lorsque puisque parce comme si dont où quoique
de und oder aber denn sondern dass weil wenn als ob obwohl während damit bevor nachdem wie
it e ed o ma perché che quando dove come se mentre benché poiché né quindi
pt e ou mas porque que quando onde como se enquanto embora pois nem quem
"""
CONJUNCTIONS: Final[Mapping[str, frozenset[str]]] = {
    language: frozenset(words) for language, *words in map(str.split, _CONJUNCTIONS.strip().splitlines())
}
"""Words before which a clause may begin, by language."""


def boundaries(text: str, parts: Sequence[Piece], language: str | None) -> list[Boundary]:
    """Return the boundary after each piece of a text; a sentence ends after the last one.

    Parameters:
      parts: The pieces of ``text``.
      language: ISO 639-1; punctuation alone decides if it is None or has no conjunctions here.
    """
    # Sentences and pieces are matched by the number of letters up to their ends.
    sentence_ends = set(accumulate(map(letters, segment(text, language or ""))))
    ends = accumulate(len(part.text) for part in parts)
    words = CONJUNCTIONS.get(language or "", frozenset())
    return [
        Boundary.SENTENCE if following is None or end in sentence_ends else _between(part.text, following, words)
        for part, end, following in zip(parts, ends, [*parts, None][1:], strict=True)
    ]


def _between(before: str, following: Piece, conjunctions: frozenset[str]) -> Boundary:
    bare = before.rstrip(_QUOTES)
    if bare.endswith(_STRONG):
        return Boundary.STRONG
    if bare.endswith(_WEAK) or following.text.startswith(_OPENING):
        return Boundary.COMMA
    if following.spaced and unspaced(before, following.text):
        return Boundary.COMMA
    return Boundary.CONJUNCTION if following.text.lower() in conjunctions else Boundary.NONE
