"""Utterances, made from recognised words or from a text: the units that are translated, shown and spoken."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import accumulate, pairwise
from typing import Any, Final, Self

from octavia.text import non_speech
from octavia.text.sentences import segment, segment_lines, shorten
from octavia.text.words import Segment, Word

LONGEST_SECONDS = 15.0
LONGEST_WORDS = 30
LONGEST_CHARS = 400

PAUSE = 1.2
"""Seconds of silence that end an utterance, whatever the punctuation."""

# Words of the next chunk that show whether a sentence ends with this one.
_LOOK_AHEAD = 8
_STRONG = (";", ":", "—", "–", "；", "：", "؛")
_WEAK = (",", "，", "、", "،")


@dataclass(frozen=True, slots=True)
class Utterance:
    """A sentence or clause.

    Attributes:
      id: ``{chunk}-{number}``, unique in a job and the same in every run over the same words.
      chunk: The chunk that holds its first word.
      start, end: Seconds in the recording; both 0 for a text.
      text: The text in the source language.
      translation: The text in the target language, once known.
      words: The recognised words, with times; none for a text.
      breaks: Line breaks before it: 0 continues the line, 2 begins a paragraph.
      speech: False for text that nobody says, such as ``[music]``: it is shown, but neither translated nor spoken.
      speaker: The speaker's name, if subtitles or a transcript that the client sent have it.
      voice: The id of the voice that speaks it; None for its speaker's voice, or the job's.
      edited: The names of the fields that people edited, as in ``edits.UtteranceEdit``.
    """

    id: str
    chunk: int
    start: float
    end: float
    text: str
    translation: str | None = None
    words: tuple[Word, ...] = field(default=(), repr=False)
    breaks: int = 1
    speech: bool = True
    speaker: str | None = None
    voice: str | None = None
    edited: tuple[str, ...] = ()

    @property
    def spoken(self) -> str:
        """The text shown in the target language: the translation, or the source text without one."""
        return self.text if self.translation is None else self.translation

    @property
    def said(self) -> str:
        """The text that the dub says: ``spoken``, or nothing if it is not speech."""
        return self.spoken if self.speech else ""

    @property
    def confidence(self) -> float | None:
        """The mean probability of the recognised words, from 0 to 1; None for a text."""
        return sum(word.probability for word in self.words) / len(self.words) if self.words else None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object; times are rounded to milliseconds."""
        return {
            "id": self.id,
            "chunk": self.chunk,
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "text": self.text,
            "translation": self.translation,
            "confidence": None if self.confidence is None else round(self.confidence, 4),
            "words": [word.to_dict() for word in self.words],
            "breaks": self.breaks,
            "speech": self.speech,
            "speaker": self.speaker,
            "voice": self.voice,
            "edited": list(self.edited),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        """Make an utterance from ``to_dict``; unknown keys are ignored."""
        known = {field.name: value[field.name] for field in fields(cls) if field.name in value}
        words = tuple(Word(**word) for word in value.get("words", ()))
        return cls(**{**known, "words": words, "edited": tuple(value.get("edited", ()))})


def is_said(text: str) -> bool:
    """Return False for a text that only names sounds, such as ``[music]``."""
    return not non_speech.is_non_speech([Word(0.0, 0.0, f" {word}", 1.0) for word in text.split()], PAUSE)


def words_of(segments: Iterable[Segment]) -> list[Word]:
    """Return the words of segments in order.

    A segment without words is split at spaces; its words share its time evenly, and its probability.
    """
    words: list[Word] = []
    for found in segments:
        if found.words:
            words += found.words
            continue
        texts = found.text.split()
        step = (found.end - found.start) / len(texts) if texts else 0.0
        probability = math.exp(min(found.avg_logprob, 0.0))
        words += [
            Word(found.start + number * step, found.start + (number + 1) * step, f" {text}", probability)
            for number, text in enumerate(texts)
        ]
    return words


def owned(
    previous: Sequence[Word] | None,
    current: Sequence[Word],
    following: Sequence[Word] | None,
    *,
    chunk: int,
    language: str,
) -> list[Utterance]:
    """Return the utterances of the sentences that begin in a chunk, wherever they end.

    Over all chunks, each word is in exactly one utterance, in order, although each call sees only the neighbours:
    the end of a sentence depends on the words of its chunk alone, and for a chunk's last word on the first few words of
    the next. A sentence ends with its chunk if no sentence ends inside that chunk (unless it is the first), or if the
    next chunk is empty; so no sentence reaches beyond the next chunk.

    Parameters:
      previous, current, following: The words of three consecutive chunks with times in the whole recording; None
        where there is no chunk, empty where nothing is said.
      chunk: The number of ``current``.
      language: ISO 639-1.
    """
    before, words, after = (_spoken(part) for part in (previous, current, following))
    ends = _ends_inside(words, language)
    first = 0
    if not _ends_between(before, words, language, opening=chunk == 1):
        if not ends:
            return []
        first = ends[0] + 1
    bounds = [first, *(end + 1 for end in ends if end >= first), len(words)]
    spoken = [words[start:end] for start, end in pairwise(bounds) if start < end]
    if spoken and not _ends_between(words, after, language, opening=chunk == 0):
        later = _ends_inside(after, language)
        spoken[-1] = _joined(spoken[-1], after[: later[0] + 1 if later else len(after)])
    pieces = [piece for sentence in spoken for piece in _cut_long(sentence)]
    return [_utterance(piece, chunk, number) for number, piece in enumerate(pieces)]


def next_starts(
    utterances: Sequence[Utterance], following: Sequence[Word] | None, *, total: float
) -> list[float | None]:
    """Return the start of the speech after each of a chunk's utterances, in seconds; None if it is not known yet.

    Parameters:
      utterances: The utterances of one chunk, from ``owned``.
      following: The words of the next chunk, as given to ``owned``.
      total: Seconds of the recording, which end the last utterance.
    """
    if not utterances:
        return []
    rest = _spoken(following)
    last = utterances[-1].words[-1]
    if last in rest:
        rest = rest[rest.index(last) + 1 :]
    after = total if following is None else rest[0].start if rest else None
    return [*(utterance.start for utterance in utterances[1:]), after]


def sentences(text: str, *, language: str, chunk: int = 0) -> list[Utterance]:
    """Make an utterance, without times, of each sentence of a text; ``breaks`` holds the layout.

    Sentences of more than 400 characters are cut between clauses or words, else anywhere.
    """
    found: list[Utterance] = []
    breaks = 0
    for piece in segment_lines(text, language):
        breaks += piece[: len(piece) - len(piece.lstrip())].count("\n")
        for part in shorten(piece.strip(), LONGEST_CHARS):
            if words := part.split():
                found.append(
                    Utterance(f"{chunk}-{len(found)}", chunk, 0.0, 0.0, " ".join(words), breaks=min(breaks, 2))
                )
                breaks = 0
        breaks += piece[len(piece.rstrip()) :].count("\n")
    return found


PIECE_CHARS: Final = 1500
"""The longest piece of a text that is worked on as one, in characters."""


def spoken_seconds(text: str) -> float:
    """Estimate how long a text is when spoken; about 15 characters are said in a second."""
    return len(text) / 15


def split_text(text: str, *, language: str, longest: int) -> list[str]:
    """Cut a text into pieces of at most ``longest`` characters, between sentences where possible.

    Joined, the pieces are the stripped text; a text of white space has none.
    """
    pieces: list[str] = []
    gathered: list[str] = []
    size = 0
    for sentence in segment_lines(text.strip(), language):
        for part in shorten(sentence, longest):
            if gathered and size + len(part) > longest:
                piece = "".join(gathered)
                kept = piece.rstrip()
                space = piece[len(kept) :]
                # Line breaks belong to the piece after them.
                moved = kept and "\n" in space and len(space) + len(part) <= longest
                pieces.append(kept if moved else piece)
                gathered, size = ([space], len(space)) if moved else ([], 0)
            gathered.append(part)
            size += len(part)
    return [*pieces, "".join(gathered)] if gathered else pieces


def _spoken(words: Sequence[Word] | None) -> list[Word]:
    return [word for word in words or () if word.text.strip()]


def _ends_inside(words: Sequence[Word], language: str) -> list[int]:
    """Return the indices of words, except the last, after which a sentence ends or a pause is made."""
    ends = set(_sentence_ends(words, language))
    for first, last in non_speech.runs(words, PAUSE):
        ends |= {first - 1, last - 1}
    return [
        number
        for number, (word, following) in enumerate(pairwise(words))
        if number in ends or following.start - word.end > PAUSE
    ]


def _ends_between(words: Sequence[Word], following: Sequence[Word], language: str, *, opening: bool) -> bool:
    """Return True if a sentence ends with a chunk's last word; ``opening`` is True for the recording's first chunk."""
    if not words or not following or following[0].start - words[-1].end > PAUSE:
        return True
    before, after = (non_speech.runs(part, PAUSE) for part in (words, following))
    if any(last == len(words) for _, last in before) or any(first == 0 for first, _ in after):
        return True
    # It may belong to a sentence of the chunk before, which is already as long as a sentence may be.
    if not opening and not _ends_inside(words, language):
        return True
    return len(words) - 1 in _sentence_ends([*words, *following[:_LOOK_AHEAD]], language)


def _joined(words: list[Word], rest: list[Word]) -> list[Word]:
    """Join the two parts of a sentence, without the full stop that recognisers set where a recording was cut."""
    last, following = words[-1], rest[0].text.strip()
    if following[:1].islower() and last.text.rstrip().endswith("."):
        words = [*words[:-1], replace(last, text=last.text.rstrip().rstrip(".") or last.text)]
    return [*words, *rest]


def _sentence_ends(words: Sequence[Word], language: str) -> list[int]:
    """Return the indices of words that end a sentence by punctuation; the last word always does."""
    texts = [word.text for word in words]
    numbers = {end: number for number, end in enumerate(_offsets_of_ends(texts))}
    return [numbers[end] for end in _offsets_of_ends(segment("".join(texts), language)) if end in numbers]


def _offsets_of_ends(texts: Sequence[str]) -> list[int]:
    """Return the offset in the joined texts at which each of them ends, without the space after it."""
    starts = accumulate(map(len, texts), initial=0)
    return [start + len(text.rstrip()) for start, text in zip(starts, texts, strict=False)]


def _cut_long(words: list[Word]) -> list[list[Word]]:
    """Halve a sentence at its best clause boundary until no part is too long to translate or to follow."""
    short = len(words) <= LONGEST_WORDS and words[-1].end - words[0].start <= LONGEST_SECONDS
    if short or len(words) < 2 or non_speech.is_non_speech(words, PAUSE):
        return [words]
    margin = len(words) // 5
    cut = max(range(margin, len(words) - 1 - margin), key=lambda number: _cut_score(words, number), default=0) + 1
    return [*_cut_long(words[:cut]), *_cut_long(words[cut:])]


def _cut_score(words: Sequence[Word], number: int) -> float:
    text = words[number].text.rstrip()
    clause = 2.0 if text.endswith(_STRONG) else 1.5 if text.endswith(_WEAK) else 0.0
    pause = min(max(words[number + 1].start - words[number].end, 0.0), PAUSE)
    return clause + pause - 2 * abs((number + 1) / len(words) - 0.5)


def _utterance(words: Sequence[Word], chunk: int, number: int) -> Utterance:
    text = " ".join("".join(word.text for word in words).split())
    start = words[0].start
    end = max(start, *(word.end for word in words))
    speech = not non_speech.is_non_speech(words, PAUSE)
    return Utterance(f"{chunk}-{number}", chunk, start, end, text, words=tuple(words), speech=speech)
