"""Sentence boundaries in many languages: the library ``sentencex``, with its crashes caught and mistakes corrected."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, pairwise

import sentencex
import structlog

_log = structlog.get_logger()

_OTHER_SPACE = re.compile(r"[^\S\n]")
_PLAIN_END = re.compile(r"(?<=[.!?…。！？؟।])\s+|\n{2,}")
_CLAUSE_END = re.compile(r"(?<=[,;:，、；：—،؛)])\s*|(?<!\s)\s++(?=[(—])")
_SPACE = re.compile(r"\s+")
# Titles before names after which the library ends a sentence in some languages.
_TITLES = re.compile(
    r"\b(?:Dr|Dra|Mr|Mrs|Ms|Prof|Profa|St|Sta|Ste|Gen|Capt|Col|Lt|Sgt|Rev|Hon|Sr|Sra|Srta|Mme|Mlle|MM|Sig|Dott|Ing|Hr)"
    r"\.$"
)
_TITLES_OF = {"fr": re.compile(r"\bM\.$")}
_LONGEST_TITLE = 8
"""Characters that hold any title, its full stop and the sign before it."""

_STRETCH = 2000
_AHEAD = 100
"""Characters of a text that the library is given at once, and that it must have seen after a sentence's end."""

# A line that was wrapped because it was full, not ended because it was finished.
_WRAPPED_LINE = 60
_SENTENCE_ENDS = ".!?…。！？؟।:"


def segment(text: str, language: str) -> list[str]:
    """Cut a text into sentences, each with the space after it; joined, they are the text.

    A full stop before a small letter ends no sentence, because recognisers set one where a recording was cut; neither
    does a full stop after a title. The time that this takes grows in proportion to the text.

    Parameters:
      text: A paragraph or more; an empty line always ends a sentence.
      language: ISO 639-1; general rules apply to languages that the library does not know.
    """
    if not text:
        return []
    starts = [0]
    # Where the letters of the sentence so far end, without the space after them; None while it has none.
    said: int | None = None
    end = 0
    for piece in _pieces(text, language):
        begin, end = end, end + len(piece)
        letters = piece.rstrip()
        if not letters:
            continue
        if said is not None and not _goes_on(text, starts[-1], said, begin, language):
            starts.append(begin)
        said = begin + len(letters)
    return [text[start:stop] for start, stop in pairwise([*starts, len(text)])]


def _goes_on(text: str, start: int, said: int, begin: int, language: str) -> bool:
    """Return True if the sentence that began at ``start``, and has letters up to ``said``, goes on at ``begin``."""
    if "\n\n" in text[said:begin]:
        return False
    last = text[max(start, said - _LONGEST_TITLE) : said]
    if _TITLES.search(last) or (language in _TITLES_OF and _TITLES_OF[language].search(last)):
        return True
    return last.endswith((".", "…")) and text[begin].islower()


def segment_lines(text: str, language: str) -> list[str]:
    """Cut a document into sentences as ``segment`` does; the end of a line ends one too, unless the line was full."""
    pieces: list[str] = []
    # Empty lines belong to the sentence after them.
    empty: list[str] = []
    for block in _blocks(text):
        if not block.strip():
            empty.append(block)
            continue
        first, *others = segment(block, language)
        pieces += ["".join([*empty, first]), *others]
        empty = []
    if empty:
        pieces.append("".join([*pieces[-1:], *empty]))
        del pieces[-2:-1]
    return pieces


def shorten(sentence: str, longest: int) -> list[str]:
    """Cut a sentence into parts of at most ``longest`` characters: between clauses, else words, else anywhere.

    Joined, the parts are the sentence.
    """
    parts: list[str] = []
    start = 0
    while len(sentence) - start > longest:
        end = (
            _last_break(sentence, start, longest, _CLAUSE_END)
            or _last_break(sentence, start, longest, _SPACE)
            or start + longest
        )
        parts.append(sentence[start:end])
        start = end
    return [*parts, sentence[start:]] if start < len(sentence) else parts


def _last_break(text: str, start: int, longest: int, pattern: re.Pattern[str]) -> int | None:
    """Return the end of the last match of ``pattern`` in the second half of ``longest`` characters from ``start``."""
    ends = (match.end() for match in pattern.finditer(text, start + longest // 2, start + longest))
    return max((end for end in ends if end > start), default=None)


def _blocks(text: str) -> Iterator[str]:
    block: list[str] = []
    for line in text.splitlines(keepends=True):
        block.append(line)
        stripped = line.strip()
        if len(stripped) < _WRAPPED_LINE or stripped.endswith(tuple(_SENTENCE_ENDS)):
            yield "".join(block)
            block = []
    if block:
        yield "".join(block)


def _pieces(text: str, language: str) -> Iterator[str]:
    """Yield what the library takes for sentences.

    Its time grows with the square of a text of quotation marks or of abbreviations. So it gets a long text in
    stretches, each from the beginning of the sentence that the one before did not end. Only a sentence of more than
    half a stretch is read in parts.
    """
    start = 0
    begun: list[str] = []
    while len(text) - start > _STRETCH:
        found = _library(text[start : start + _STRETCH], language)
        ends = list(accumulate(map(len, found)))
        # The end of the stretch is none of a sentence, and too near to it the library cannot tell.
        sure = min(bisect_right(ends, _STRETCH - _AHEAD), len(found) - 1)
        for piece in found[:sure]:
            yield "".join([*begun, piece])
            begun = []
        done = ends[sure - 1] if sure else 0
        if done < _STRETCH // 2:
            cut = text.rfind(" ", start + _STRETCH // 2, start + _STRETCH - _AHEAD) + 1 or start + _STRETCH - _AHEAD
            begun.append(text[start + done : cut])
            start = cut
        else:
            start += done
    first, *others = _library(text[start:], language)
    yield "".join([*begun, first])
    yield from others


def _library(text: str, language: str) -> list[str]:
    # It panics on some wide spaces in some languages; these are one character for one, so lengths stay true.
    plain = _OTHER_SPACE.sub(" ", text)
    try:
        lengths = [len(piece) for piece in sentencex.segment(language, plain)]
    except BaseException as error:
        # A panic of the library's Rust code is no Exception, and its class cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        _log.warning("sentence_library_failed", language=language)
        lengths = []
    if sum(lengths) != len(text):
        return _by_punctuation(text)
    return [text[end - length : end] for end, length in zip(accumulate(lengths), lengths, strict=True)]


def _by_punctuation(text: str) -> list[str]:
    ends = [match.end() for match in _PLAIN_END.finditer(text)]
    pieces = [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]
    return [piece for piece in pieces if piece]
