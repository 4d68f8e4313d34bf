"""Recognised words, or a text, to utterances: what is translated and spoken at once, and has a slot in time."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Self

from octavia.text import non_speech
from octavia.text.sentences import segment, segment_lines, shorten
from octavia.text.words import Segment, Word

LONGEST_SECONDS = 15.0
LONGEST_WORDS = 30
LONGEST_CHARS = 400
PAUSE = 1.2
"""Seconds of silence that end an utterance, whatever the punctuation."""

# How much of the next chunk shows whether a sentence ends with this one.
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
      text: What is said, in the source language.
      translation: The same in the target language, once known.
      words: The recognised words, with times; none for a text.
      breaks: Line breaks before it: 0 goes on in the same line, 2 begins a paragraph.
      speech: False for what nobody says, such as ``[music]``: it is shown, and neither translated nor spoken.
      speaker: Who says it, where subtitles or a transcript that was brought along say so.
      voice: The id of the voice that speaks it; None: its speaker's, or the job's.
      edited: The names of what people have mended of it, as ``edits.Edit`` has them.
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
        """What is shown in the target language: the translation, or the text where there is none."""
        return self.text if self.translation is None else self.translation

    @property
    def said(self) -> str:
        """What the dub says: ``spoken``, and nothing where nobody speaks."""
        return self.spoken if self.speech else ""

    @property
    def confidence(self) -> float | None:
        """How sure the recogniser is of the words on average, from 0 to 1; None for a text."""
        return sum(word.probability for word in self.words) / len(self.words) if self.words else None

    def to_dict(self) -> dict[str, Any]:
        """As a JSON object; times to the millisecond."""
        return {
            "id": self.id,
            "chunk": self.chunk,
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "text": self.text,
            "translation": self.translation,
            "confidence": None if self.confidence is None else round(self.confidence, 4),
            "words": [
                {
                    "start": round(word.start, 3),
                    "end": round(word.end, 3),
                    "text": word.text,
                    "probability": round(word.probability, 4),
                }
                for word in self.words
            ],
            "breaks": self.breaks,
            "speech": self.speech,
            "speaker": self.speaker,
            "voice": self.voice,
            "edited": list(self.edited),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        """From ``to_dict``; keys that others added are ignored."""
        return cls(
            id=value["id"],
            chunk=value["chunk"],
            start=value["start"],
            end=value["end"],
            text=value["text"],
            translation=value.get("translation"),
            words=tuple(Word(**word) for word in value.get("words", ())),
            breaks=value.get("breaks", 1),
            speech=value.get("speech", True),
            speaker=value.get("speaker"),
            voice=value.get("voice"),
            edited=tuple(value.get("edited", ())),
        )


def is_said(text: str) -> bool:
    """False for a text that only names sounds, such as ``[music]``."""
    return not non_speech.is_non_speech([Word(0.0, 0.0, f" {word}", 1.0) for word in text.split()], PAUSE)


def words_of(segments: Iterable[Segment]) -> list[Word]:
    """The words of segments in order; where a segment has none with times, its text's are spread evenly over it.

    Those are as probable as the segment is on the whole.
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
    """The utterances of the sentences that begin in chunk ``chunk``, wherever they end.

    Over all chunks each word is in exactly one utterance, in order, although each call sees only its neighbours:
    whether a sentence ends after a word depends on that word's chunk alone, and for a chunk's last word on the first
    few of the next. A chunk in which no sentence ends is ended at its own end unless it is the first, and so is one
    before an empty chunk; thus none reaches beyond the next chunk.

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
    """Where the speaker goes on after each of a chunk's utterances, in seconds; None where that is not known yet.

    Parameters:
      utterances: Of one chunk, from ``owned``.
      following: The words of the next chunk, as they were given to ``owned``.
      total: Seconds of the recording, which ends the last one.
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
    """The sentences of a text, without times; ``breaks`` tells how they were laid out.

    One of more than 400 characters is cut between clauses or words, or anywhere if need be.
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


def split_text(text: str, *, language: str, longest: int) -> list[str]:
    """Cut a text into pieces of at most ``longest`` characters, between sentences where possible.

    Joined, the pieces are the text, but for space at its very ends; a text of nothing but space has none.
    """
    pieces: list[str] = []
    for sentence in segment_lines(text.strip(), language):
        for whole in shorten(sentence, longest):
            part = whole
            if pieces and len(pieces[-1]) + len(part) <= longest:
                pieces[-1] += part
                continue
            # The line breaks go with what they precede, whose layout they are.
            kept = pieces[-1].rstrip() if pieces else ""
            space = pieces[-1][len(kept) :] if pieces else ""
            if kept and "\n" in space and len(space) + len(part) <= longest:
                pieces[-1], part = kept, space + part
            pieces.append(part)
    return pieces


def _spoken(words: Sequence[Word] | None) -> list[Word]:
    return [word for word in words or () if word.text.strip()]


def _ends_inside(words: Sequence[Word], language: str) -> list[int]:
    """The words before the last after which a sentence ends, or a pause is made."""
    ends = set(_sentence_ends(words, language))
    for first, last in non_speech.runs(words, PAUSE):
        ends |= {first - 1, last - 1}
    return [
        number
        for number, (word, following) in enumerate(pairwise(words))
        if number in ends or following.start - word.end > PAUSE
    ]


def _ends_between(words: Sequence[Word], following: Sequence[Word], language: str, *, opening: bool) -> bool:
    """Whether a sentence ends with the last of a chunk's words; ``opening``: the chunk is the recording's first."""
    if not words or not following or following[0].start - words[-1].end > PAUSE:
        return True
    if any(last == len(words) for _, last in non_speech.runs(words, PAUSE)):
        return True
    if any(first == 0 for first, _ in non_speech.runs(following, PAUSE)):
        return True
    # It may belong to a sentence of the chunk before, which is already as long as a sentence may be.
    if not opening and not _ends_inside(words, language):
        return True
    return len(words) - 1 in _sentence_ends([*words, *following[:_LOOK_AHEAD]], language)


def _joined(words: list[Word], rest: list[Word]) -> list[Word]:
    """One sentence from its two parts, without the full stop that recognisers set where a recording was cut."""
    last, following = words[-1], rest[0].text.strip()
    if following[:1].islower() and last.text.rstrip().endswith("."):
        words = [*words[:-1], replace(last, text=last.text.rstrip().rstrip(".") or last.text)]
    return [*words, *rest]


def _sentence_ends(words: Sequence[Word], language: str) -> list[int]:
    """The words with which a sentence ends, by punctuation; the last always does."""
    ends: list[int] = []
    text = "".join(word.text for word in words)
    offsets: dict[int, int] = {}
    offset = 0
    for number, word in enumerate(words):
        offsets[offset + len(word.text.rstrip())] = number
        offset += len(word.text)
    offset = 0
    for piece in segment(text, language):
        end = offsets.get(offset + len(piece.rstrip()))
        if end is not None:
            ends.append(end)
        offset += len(piece)
    return ends


def _cut_long(words: list[Word]) -> list[list[Word]]:
    """Halve a sentence that is too long to translate or to follow, at its best clause boundary, until it is not."""
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
