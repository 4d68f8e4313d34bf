"""Sentence boundaries in many languages: the library ``sentencex``, with its crashes caught and mistakes corrected."""

import re
from collections.abc import Iterator
from itertools import accumulate

import sentencex
import structlog

_log = structlog.get_logger()

_OTHER_SPACE = re.compile(r"[^\S\n]")
_PLAIN_END = re.compile(r"(?<=[.!?…。！？؟।])\s+|\n{2,}")
_CLAUSE_END = re.compile(r"(?<=[,;:，、；：—،؛)])\s*|\s+(?=[(—])")
_SPACE = re.compile(r"\s+")
# Titles before names after which the library ends a sentence in some languages.
_TITLES = re.compile(
    r"\b(?:Dr|Dra|Mr|Mrs|Ms|Prof|Profa|St|Sta|Ste|Gen|Capt|Col|Lt|Sgt|Rev|Hon|Sr|Sra|Srta|Mme|Mlle|MM|Sig|Dott|Ing|Hr)"
    r"\.$"
)
_TITLES_OF = {"fr": re.compile(r"\bM\.$")}
# A line that was wrapped because it was full, not ended because it was finished.
_WRAPPED_LINE = 60
_SENTENCE_ENDS = ".!?…。！？؟।:"


def segment(text: str, language: str) -> list[str]:
    """Cut a text into sentences, each with the space after it; joined, they are the text.

    A full stop before a small letter ends no sentence, because recognisers set one where a recording was cut; neither
    does a full stop after a title.

    Parameters:
      text: A paragraph or more; an empty line always ends a sentence.
      language: ISO 639-1; general rules apply to languages that the library does not know.
    """
    joined: list[str] = []
    for piece in _library(text, language):
        if joined and _goes_on(joined[-1], piece, language):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


def _goes_on(before: str, piece: str, language: str) -> bool:
    if not piece.strip() or not before.strip():
        return True
    ended = before.rstrip()
    if "\n\n" in before[len(ended) :]:
        return False
    if _TITLES.search(ended) or (language in _TITLES_OF and _TITLES_OF[language].search(ended)):
        return True
    return ended.endswith((".", "…")) and piece[0].islower()


def segment_lines(text: str, language: str) -> list[str]:
    """Cut a document into sentences as ``segment`` does; the end of a line ends one too, unless the line was full."""
    pieces: list[str] = []
    for block in _blocks(text):
        found = segment(block, language)
        if pieces and found and not pieces[-1].strip():
            found[0] = pieces.pop() + found[0]
        pieces += found
    if len(pieces) > 1 and not pieces[-1].strip():
        pieces[-2:] = [pieces[-2] + pieces[-1]]
    return pieces


def shorten(sentence: str, longest: int) -> list[str]:
    """Cut a sentence into parts of at most ``longest`` characters: between clauses, else words, else anywhere.

    Joined, the parts are the sentence.
    """
    parts: list[str] = []
    while len(sentence) > longest:
        cut = _last_break(sentence, longest, _CLAUSE_END) or _last_break(sentence, longest, _SPACE) or longest
        parts.append(sentence[:cut])
        sentence = sentence[cut:]
    return [*parts, sentence] if sentence else parts


def _last_break(text: str, longest: int, pattern: re.Pattern[str]) -> int | None:
    """Return the last match of ``pattern`` in the second half of the first ``longest`` characters."""
    return max((match.end() for match in pattern.finditer(text, longest // 2, longest)), default=None)


def _blocks(text: str) -> Iterator[str]:
    block = ""
    for line in text.splitlines(keepends=True):
        block += line
        stripped = line.strip()
        if len(stripped) < _WRAPPED_LINE or stripped.endswith(tuple(_SENTENCE_ENDS)):
            yield block
            block = ""
    if block:
        yield block


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
