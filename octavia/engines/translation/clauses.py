"""Long sentences, split into pieces that a translation model does not cut short, and joined again."""

import re
from bisect import bisect_left
from collections.abc import Sequence

LONGEST = 25
"""The most words of a piece: small models drop clauses of longer sentences."""

_SHORTEST = 4
_PUNCTUATION = re.compile(r"(?<=[;:,])\s+|(?<=[、，；：])")
_CONJUNCTION = re.compile(r"(?<!\s)\s++(?=(?:and|but|or|because|which|when|while|although|whether|so that)\s)")
_ANYWHERE = re.compile(r"\s+|(?<=[\u3040-\u30ff\u3400-\u9fff])")
_CAPITALIZED = re.compile(r"(?!I\b)[^\W\d_](?![A-Z])")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
STOPS = tuple(".!?…。！？")
_MARKS = {",": ",", ";": ";", ":": ":", "、": ",", "，": ",", "；": ";", "：": ":"}
_TRAILING = "".join([*STOPS, *_MARKS, " "])


def split(text: str, *, language: str, longest: int = LONGEST) -> list[str]:
    """Cut ``text`` into pieces of at most ``longest`` words, each time at the boundary nearest to the middle.

    Punctuation is preferred to English conjunctions. A piece with neither stays whole up to twice ``longest``; a longer
    one is cut between words. Only white space at the cuts is lost.
    """
    size = words(text)
    if size <= longest:
        return [text]
    boundaries = [_PUNCTUATION]
    if language == "en":
        boundaries.append(_CONJUNCTION)
    if size > 2 * longest:
        boundaries.append(_ANYWHERE)
    for boundary in boundaries:
        place = _nearest_middle(text, boundary)
        if place is not None:
            halves = text[:place].rstrip(), text[place:]
            return [piece for half in halves for piece in split(half, language=language, longest=longest)]
    return [text]


def join(pieces: Sequence[str], translations: Sequence[str]) -> str:
    """Join the translations of pieces into one sentence.

    A model begins each piece with a capital and ends it with a full stop, as if it were a sentence; inside, the
    source's own punctuation and case are put back.
    """
    last = len(pieces) - 1
    written = (
        inside(piece, translation, first=index == 0, last=index == last)
        for index, (piece, translation) in enumerate(zip(pieces, translations, strict=True))
    )
    joined = [text for text in written if text]
    return ("" if _CJK.search("".join(joined)) else " ").join(joined)


def inside(piece: str, translation: str, *, first: bool, last: bool) -> str:
    """Return a piece's translation with the punctuation and case of its place in the sentence."""
    text = translation.strip()
    if not last:
        own = text[-1:] if text[-1:] in _MARKS else ""
        closed = text.rstrip(_TRAILING)
        if re.search("[!?]", text[len(closed) :]) and not re.search("[!?]", closed):
            closed = closed.lstrip("¡¿")
        text = closed
        text += (own or _MARKS.get(piece[-1:], "")) if text else ""
    opening = len(text) - len(text.lstrip("¡¿"))
    if not first and piece[:1].islower() and _CAPITALIZED.match(text, opening):
        text = text[:opening] + text[opening].lower() + text[opening + 1 :]
    return text


def words(text: str) -> int:
    """Count the words of ``text``; in scripts without spaces, two characters count as one word."""
    ideographs = len(_CJK.findall(text))
    return len(_CJK.sub(" ", text).split()) + ideographs // 2


def _nearest_middle(text: str, boundary: re.Pattern[str]) -> int | None:
    places = [match.end() for match in boundary.finditer(text)]
    # The more text there is on a side, the more words.
    first = bisect_left(places, True, key=lambda place: words(text[:place]) >= _SHORTEST)
    end = bisect_left(places, True, key=lambda place: words(text[place:]) < _SHORTEST)
    return min(places[first:end], key=lambda place: abs(place - len(text) / 2), default=None)
