"""What engines take and give: arrays, text and frozen records. Times are seconds from the start of the audio."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from octavia.text.words import Segment

Samples = NDArray[np.float32]
"""Mono audio, shape ``(n,)``, float32 in [-1, 1]."""

SPEECH_RATE = 16_000
"""Samples per second that recognisers take."""


@dataclass(frozen=True, slots=True)
class Detection:
    """The language heard, as an ISO 639-1 code, and how sure the model is (0–1)."""

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
    """Speech to text. ``samples`` are mono at ``SPEECH_RATE``."""

    multilingual: bool

    def transcribe(
        self, samples: Samples, *, language: str, beam_size: int = 5, prompt: str | None = None
    ) -> Iterator[Segment]:
        """Yield segments in order, each as soon as it is known; silence yields none."""
        ...

    def detect(self, samples: Samples) -> Detection:
        """Hear which language is spoken."""
        ...


class Translator(Protocol):
    """Text to text between two fixed languages; one sentence an item."""

    def translate(self, sentences: Sequence[str], *, beam_size: int = 2) -> list[str]:
        """Translate a batch; the answer has the length and order of ``sentences``."""
        ...

    def alternatives(self, sentences: Sequence[str], *, count: int) -> list[list[str]]:
        """One to ``count`` different translations of each sentence, the likeliest first.

        Each keeps what a translation must keep. The first need not be what ``translate`` says, which looks less far.
        """
        ...


class Voice(Protocol):
    """Text to speech in one language with one speaker; ``speed`` 1 is natural, 2 twice as fast; 0.25 to 4."""

    rate: int

    def synthesize(self, text: str, *, speed: float = 1.0) -> Audio:
        """Speak ``text``; the same text and speed give the same samples."""
        ...
