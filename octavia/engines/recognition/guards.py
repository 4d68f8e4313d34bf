"""Guards against text that Whisper makes up: it is removed from the segments, and times are put in order."""

import math
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from octavia.engines.recognition.word_times import UNKNOWN, timed
from octavia.engines.repetition import normal, without_loops
from octavia.text.words import Segment, Word

_SILENCE = 0.6
"""Probability of no speech above which an unsure segment is dropped."""

_UNSURE_LOGPROB = -0.8
_UNSURE_WORD = 0.4
_FASTEST = 40
"""The most characters per second that anybody speaks: faster text, at the end of a window, was made up."""

_HURRIED = 3
"""The most words whose times are too coarse to tell their speed."""

_ROUNDS = 3
"""The most times in a row that a phrase may occur ("no, no, no"); more is a decoder in a loop."""

_REPEATS = 2
"""The most equal segments in a row."""

_REPEATS_SHORT = 4
_SHORT = 2
"""The most words of a segment that people do repeat, up to ``_REPEATS_SHORT`` times: "Yes.", "Thank you."."""

_BROKEN = "\ufffd"

COMPRESSION = 2.4
"""Bytes of text per compressed byte; more is repetition, as in Whisper (Radford et al. 2022, section 4.5)."""

_COMPRESSION_CHARACTERS = 80
"""Shorter text compresses badly, repetitive or not."""


def guarded(segments: Iterable[Segment], duration: float) -> Iterator[Segment]:
    """Yield the segments that were said, each with words, and all times in order within ``[0, duration]`` seconds.

    Dropped are segments without a letter or digit, unsure ones where Whisper itself hears no speech, text too long for
    its time, segments repeated too often, and text that is all repetition. Loops inside a segment are cut to three
    rounds, and signs of broken characters removed.
    """
    last = ""
    repeats = 0
    earliest = 0.0
    for found in segments:
        segment = _unlooped(_with_words(_spelled(found)))
        said = " ".join(filter(None, map(normal, segment.text.split())))
        if not said or _unsure(segment) or _hurried(segment) or _babble(segment.text):
            continue
        repeats = repeats + 1 if said == last else 1
        last = said
        if repeats > (_REPEATS_SHORT if len(said.split()) <= _SHORT else _REPEATS):
            continue
        words = timed(segment.words, segment.start, segment.end, earliest=earliest, latest=duration)
        earliest = words[-1].end
        yield replace(segment, start=words[0].start, end=earliest, words=tuple(words))


def _spelled(segment: Segment) -> Segment:
    """Remove the signs of bytes that are no character, which a decoder leaves where a window cuts one in two."""
    words = (replace(word, text=word.text.replace(_BROKEN, "")) for word in segment.words)
    said = tuple(word for word in words if word.text.strip())
    return replace(segment, text=segment.text.replace(_BROKEN, "").strip(), words=said)


def _with_words(segment: Segment) -> Segment:
    """Give a segment without words those of its text, without times."""
    if segment.words:
        return segment
    return replace(segment, words=tuple(Word(UNKNOWN, UNKNOWN, f" {text}", 0.0) for text in segment.text.split()))


def _unlooped(segment: Segment) -> Segment:
    kept = without_loops([word.text for word in segment.words], allowed=_ROUNDS)
    if len(kept) == len(segment.words):
        return segment
    words = tuple(segment.words[place] for place in kept)
    text = "".join(word.text for word in words).strip()
    end = segment.end if math.isnan(words[-1].end) else words[-1].end
    return replace(segment, text=text, words=words, end=end)


def _unsure(segment: Segment) -> bool:
    if segment.no_speech_prob <= _SILENCE:
        return False
    mean = sum(word.probability for word in segment.words) / len(segment.words)
    return segment.avg_logprob < _UNSURE_LOGPROB or mean < _UNSURE_WORD


def _hurried(segment: Segment) -> bool:
    return len(segment.words) > _HURRIED and len(segment.text) > _FASTEST * (segment.end - segment.start)


def _babble(text: str) -> bool:
    content = text.encode()
    return len(text) > _COMPRESSION_CHARACTERS and len(content) / len(zlib.compress(content)) > COMPRESSION
