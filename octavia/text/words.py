"""Recognised words and segments. Times are seconds from the start of the audio."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word; ``text`` has its leading space and punctuation, ``probability`` is from 0 to 1."""

    start: float
    end: float
    text: str
    probability: float

    def to_dict(self) -> dict[str, str | float]:
        """Return a JSON object; the times are rounded to milliseconds."""
        start, end, probability = round(self.start, 3), round(self.end, 3), round(self.probability, 4)
        return {"start": start, "end": end, "text": self.text, "probability": probability}


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech as the recogniser returns it.

    Attributes:
      avg_logprob: Mean log-probability of its tokens.
      no_speech_prob: Probability, from 0 to 1, that nothing is said.
    """

    start: float
    end: float
    text: str
    words: tuple[Word, ...] = ()
    avg_logprob: float = 0.0
    no_speech_prob: float = 0.0
