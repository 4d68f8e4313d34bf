"""A transcript or a translation with all that is known of it, as JSON and back: its other files are made of this."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from octavia.text.utterances import Utterance
from octavia.text.words import Segment


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said, or its translation.

    Attributes:
      utterances: In order; each with its text and, once known, its translation.
      translated: Whether this is about the translations.
      language: Of the text that it is about, ISO 639-1.
      duration: Seconds of the recording, or of the speech that a text became; None for a text without times.
      segments: What the recogniser returned, from which the utterances were made; none for a translation. Their words
        are the utterances'.
      given_cues: Whether each utterance is a cue that was given, and stays one.
    """

    utterances: tuple[Utterance, ...]
    translated: bool = False
    language: str | None = None
    duration: float | None = None
    segments: tuple[Segment, ...] = ()
    given_cues: bool = False

    @property
    def text(self) -> str:
        """All of it, in one line."""
        return " ".join(filter(None, map(self.text_of, self.utterances)))

    def text_of(self, utterance: Utterance) -> str:
        """What an utterance says in the language that this is about."""
        return utterance.spoken if self.translated else utterance.text

    def to_json(self, *, subtitles: Mapping[str, int] | None = None) -> str:
        """Times in seconds, confidences from 0 to 1; each utterance with its text and its translation.

        Parameters:
          subtitles: What is to be said of the subtitles that were made of it.
        """
        value = {
            "language": self.language,
            "duration": None if self.duration is None else round(self.duration, 3),
            "subtitles": None if subtitles is None else dict(subtitles),
            "text": self.text,
            "given_cues": self.given_cues,
            "segments": [_segment_to_dict(number, segment) for number, segment in enumerate(self.segments)],
            "utterances": [utterance.to_dict() for utterance in self.utterances],
        }
        return json.dumps(value, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, *, translated: bool) -> Self:
        """From ``to_json``."""
        value = json.loads(text)
        return cls(
            tuple(Utterance.from_dict(row) for row in value["utterances"]),
            translated,
            value["language"],
            value["duration"],
            tuple(
                Segment(
                    row["start"],
                    row["end"],
                    row["text"],
                    avg_logprob=row["avg_logprob"],
                    no_speech_prob=row["no_speech_prob"],
                )
                for row in value["segments"]
            ),
            value.get("given_cues", False),
        )


def _segment_to_dict(number: int, segment: Segment) -> dict[str, Any]:
    return {
        "id": number,
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "text": segment.text,
        "confidence": round(math.exp(min(segment.avg_logprob, 0.0)), 4),
        "avg_logprob": round(segment.avg_logprob, 4),
        "no_speech_prob": round(segment.no_speech_prob, 4),
    }
