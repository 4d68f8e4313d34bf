"""Interfaces of engines, and the types they take and return. Times are seconds from the start of the audio."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from octavia.text.words import Segment

Samples = NDArray[np.float32]
"""Mono audio, shape ``(n,)``, float32 in [-1, 1]."""

SPEECH_RATE = 16_000
"""The sample rate of recognisers' input, in Hz."""


@dataclass(frozen=True, slots=True)
class Detection:
    """A detected language, ISO 639-1, and its probability from 0 to 1."""

    language: str
    probability: float


@dataclass(frozen=True, slots=True)
class Audio:
    """Spoken audio: mono ``samples`` at ``rate`` Hz."""

    samples: Samples = field(repr=False)
    rate: int

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate


class Recognizer(Protocol):
    """Speech to text; ``samples`` are mono at ``SPEECH_RATE``."""

    multilingual: bool

    def transcribe(
        self, samples: Samples, *, language: str, beam_size: int = 5, prompt: str | None = None
    ) -> Iterator[Segment]:
        """Yield segments in order, each as soon as it is recognised; silence yields none.

        Parameters:
          beam_size: Hypotheses kept while decoding; more are slower and better.
          prompt: Names and spellings to expect.
        """

    def detect(self, samples: Samples) -> Detection:
        """Detect the spoken language."""


class Translator(Protocol):
    """Text to text between two fixed languages, sentence by sentence."""

    def reads(self, text: str) -> bool:
        """Return True if the vocabulary of the source spells ``text``, a sign or a word, without an unknown token."""

    def writes(self, text: str) -> bool:
        """Return True if the vocabulary of the target spells ``text`` exactly, in tokens other than single bytes."""

    def translate(self, sentences: Sequence[str], *, beam_size: int = 2) -> list[str]:
        """Translate a batch; the answer has the length and order of ``sentences``."""

    def alternatives(self, sentences: Sequence[str], *, count: int) -> list[list[str]]:
        """Return one to ``count`` different translations of each sentence, the likeliest first.

        The first may differ from the one of ``translate``, which searches less widely.
        """


class Voice(Protocol):
    """Text to speech in one language with one speaker; ``rate`` is the sample rate in Hz."""

    rate: int

    def synthesize(self, text: str, *, speed: float = 1.0) -> Audio:
        """Speak ``text`` at ``speed`` times the natural pace (0.25 to 4); equal arguments give equal samples."""
