"""Times for words without: alignment leaves some words out, or gives them no length."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from octavia.text.words import Word

UNKNOWN = math.nan
"""The start or end of a word without a time."""

_LETTER = 0.07
"""Seconds per letter: a word without length gets no more, however long the silence after it."""

_SHORTEST = 0.02
"""The least seconds of a word, the step of Whisper's times; where less is free, a neighbour shares its own time."""


def timed(words: Sequence[Word], start: float, end: float, *, earliest: float, latest: float) -> list[Word]:
    """Return words in order within ``[earliest, latest]``, each with a time and, if there is room, a length.

    Words without time or length share the free time between their neighbours, by letters. Where none is free, the word
    before (at the beginning: after) shares its own time with them. All times are seconds.

    Parameters:
      start, end: The segment's times, for words at its ends.
    """
    spans = _in_order(words, earliest, latest)
    place = 0
    while place < len(words):
        if _has_length(spans[place]):
            place += 1
            continue
        first = last = place
        while last < len(words) and not _has_length(spans[last]):
            last += 1
        place = last
        left = _end(spans[first - 1], earliest) if first else min(max(start, earliest), latest)
        right = _start(spans[last], latest) if last < len(words) else max(left, min(end, latest))
        left = min(left, right)
        points = [span[0] for span in spans[first:last] if span is not None]
        if len(points) == last - first:
            # Their start is known.
            left = max(left, points[0])
            right = max(left, min(right, left + _LETTER * sum(len(word.text) for word in words[first:last])))
        if right - left < _SHORTEST * (last - first):
            if first:
                first -= 1
                left = _start(spans[first], left)
            elif last < len(words):
                right = _end(spans[last], right)
                last += 1
        done = list(accumulate((max(len(word.text.strip()), 1) for word in words[first:last]), initial=0))
        spans[first:last] = pairwise(left + (right - left) * count / done[-1] for count in done)
    return [
        replace(word, start=_start(span, earliest), end=_end(span, earliest))
        for word, span in zip(words, spans, strict=True)
    ]


_Span = tuple[float, float] | None


def _in_order(words: Sequence[Word], earliest: float, latest: float) -> list[_Span]:
    spans: list[_Span] = []
    for word in words:
        if math.isnan(word.start) or math.isnan(word.end):
            spans.append(None)
            continue
        start = min(max(word.start, earliest), latest)
        earliest = min(max(word.end, start), latest)
        spans.append((start, earliest))
    return spans


def _has_length(span: _Span) -> bool:
    return span is not None and span[1] > span[0]


def _start(span: _Span, otherwise: float) -> float:
    return otherwise if span is None else span[0]


def _end(span: _Span, otherwise: float) -> float:
    return otherwise if span is None else span[1]
