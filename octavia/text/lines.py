"""Text in pieces that no line break may split, and their widths."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

# Scripts that put no space between words: Thai, Lao, Burmese, Khmer, and Chinese and Japanese with their punctuation.
_SOUTH_EAST = "\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u19e0-\u19ff\ua9e0-\ua9ff\uaa60-\uaa7f"
_EAST = (
    "\u2e80-\u30ff\u3100-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff9f\U00020000-\U0003ffff"
)
_UNSPACED = re.compile(f"[{_SOUTH_EAST}{_EAST}]")
_SOUTH_EAST_LETTER = re.compile(f"[{_SOUTH_EAST}]")
# Not at the start of a line: closing punctuation, small kana and repetition marks, vowels that follow a consonant.
_CLOSING = re.compile(
    r"['\"!%),.:;?\]}¢°’”»›‐–—…‥、。〃〉》」』】〕〗〙〛〞〟〜゠・ー々〻ゝゞヽヾ！％），．：；？］｝～｠｡｣､･ｰ"
    r"ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶㇰ-ㇿ\u0e2f\u0e30\u0e32\u0e33\u0e45\u0e46\u0e5a\u0e5b"
    r"\u0eaf\u0eb0\u0eb2\u0eb3\u0ec6\u104a\u104b\u17d4-\u17d7]"
)
# Not at the end of a line: opening punctuation, vowels written before their consonant, signs that stack the next one.
_OPENING = re.compile(
    r"['\"(\[{$£¥‘“«‹〈《「『【〔〖〘〚〝（［｛｟｢＄￡￥\u0e40-\u0e44\u0ec0-\u0ec4\u1039\u17d2\u200d\u2060]"
)
# A consonant under one of these ends the syllable before it.
_KILLERS = ("\u1039", "\u103a")
_ZERO_WIDTH_SPACE = "\u200b"
_UNWRITABLE = ("Cc", "Cs")


@dataclass(frozen=True, slots=True)
class Piece:
    """The smallest unit of a line: a word, or in a script without spaces a letter with its marks and punctuation.

    Attributes:
      spaced: True if a space separates it from the piece before.
      columns: Its width, as ``columns`` counts it.
    """

    text: str
    spaced: bool
    columns: int


def pieces(text: str) -> list[Piece]:
    """Return the pieces of a text in order; white space becomes one space, and the text is cleaned."""
    found: list[Piece] = []
    for word in clean(text).split():
        spaced = True
        for part in _parts(word):
            found.append(Piece(part, spaced, columns(part)))
            spaced = False
    return found


def clean(text: str) -> str:
    """Remove control characters, lone surrogates and noncharacters: no subtitle format can carry them all."""
    return "".join(
        letter
        for letter in text
        if letter.isspace() or not (unicodedata.category(letter) in _UNWRITABLE or ord(letter) & 0xFFFE == 0xFFFE)
    )


def letters(text: str) -> int:
    """Count the characters of a text without spaces, as its pieces have them."""
    return sum(not (letter.isspace() or letter == _ZERO_WIDTH_SPACE) for letter in clean(text))


def columns(text: str) -> int:
    """Return the width of a text: wide East Asian characters take two columns, marks and invisible characters none."""
    return sum(map(_columns, text))


def unspaced(before: str, after: str) -> bool:
    """Return True if a space between two texts separates phrases instead of words, as in Thai."""
    return bool(_SOUTH_EAST_LETTER.match(before[-1:]) and _SOUTH_EAST_LETTER.match(after))


def _columns(letter: str) -> int:
    if letter.isascii():
        return 1
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _parts(word: str) -> Iterator[str]:
    if word.isascii() or not (_UNSPACED.search(word) or _ZERO_WIDTH_SPACE in word):
        yield word
        return
    part = ""
    for number, letter in enumerate(word):
        if letter == _ZERO_WIDTH_SPACE or (part and _may_break(part[-1], letter, word[number + 1 : number + 2])):
            if part:
                yield part
            part = ""
        if letter != _ZERO_WIDTH_SPACE:
            part += letter
    if part:
        yield part


def _may_break(before: str, letter: str, following: str) -> bool:
    """Return True if a line may break between two characters of a word."""
    if not (_UNSPACED.match(before) or _UNSPACED.match(letter)):
        return False
    if unicodedata.category(letter) in ("Mn", "Mc", "Me", "Cf") or following in _KILLERS:
        return False
    if unicodedata.category(before) == unicodedata.category(letter) == "Nd":
        return False
    return not (_OPENING.match(before) or _CLOSING.match(letter))
