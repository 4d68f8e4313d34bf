"""Where a text may be parted: how much of an end there is between two of its pieces."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final

from octavia.text.lines import Piece, letters, unspaced
from octavia.text.sentences import segment


class Boundary(IntEnum):
    """What ends between two pieces; from ``COMMA`` on it is a clause."""

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
    """What ends after each piece of a text; after the last it is a sentence.

    Parameters:
      parts: Its pieces.
      language: ISO 639-1; without one, or of one that is not known here, punctuation decides alone.
    """
    ends = _sentence_ends(text, language)
    words = CONJUNCTIONS.get(language or "", frozenset())
    found: list[Boundary] = []
    said = 0
    for part, following in zip(parts, [*parts, None][1:], strict=True):
        said += len(part.text)
        if following is None or said in ends:
            found.append(Boundary.SENTENCE)
        else:
            found.append(_between(part.text, following, words))
    return found


def _between(before: str, following: Piece, conjunctions: frozenset[str]) -> Boundary:
    bare = before.rstrip(_QUOTES)
    if bare.endswith(_STRONG):
        return Boundary.STRONG
    if bare.endswith(_WEAK) or following.text.startswith(_OPENING):
        return Boundary.COMMA
    if following.spaced and unspaced(before, following.text):
        return Boundary.COMMA
    return Boundary.CONJUNCTION if following.text.lower() in conjunctions else Boundary.NONE


def _sentence_ends(text: str, language: str | None) -> set[int]:
    """After how many letters a sentence ends."""
    ends: set[int] = set()
    said = 0
    for sentence in segment(text, language or ""):
        said += letters(sentence)
        ends.add(said)
    return ends
