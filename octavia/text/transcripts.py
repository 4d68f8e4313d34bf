"""Transcripts and translations, to JSON and back; every other format is made from them."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from octavia.text.utterances import Utterance
from octavia.text.words import Segment


@dataclass(frozen=True, slots=True)
class Transcript:
    """The text of a job, in the source language or translated.

    Attributes:
      utterances: In order; each with its text and, once known, its translation.
      translated: True for the translation, False for the transcript.
      language: The language of that text, ISO 639-1.
      duration: Seconds of the recording, or of the speech made from a text; None for a text without times.
      segments: The recogniser's segments, from which the utterances were made, without their words; none for a
        translation.
      given_cues: True if each utterance is a cue of a file that was sent, and stays one.
    """

    utterances: tuple[Utterance, ...]
    translated: bool = False
    language: str | None = None
    duration: float | None = None
    segments: tuple[Segment, ...] = ()
    given_cues: bool = False

    @property
    def text(self) -> str:
        """The whole text in one line."""
        return " ".join(word for utterance in self.utterances for word in self.text_of(utterance).split())

    def text_of(self, utterance: Utterance) -> str:
        """Return an utterance's text or translation, whichever this is made of."""
        return utterance.spoken if self.translated else utterance.text

    def to_json(self, *, subtitles: Mapping[str, int] | None = None) -> str:
        """Return the JSON text: times in seconds, confidences from 0 to 1, each utterance with its translation.

        Parameters:
          subtitles: The report about the subtitles made from it, if any.
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
        """Read the text of ``to_json``."""
        value = json.loads(text)
        return cls(
            tuple(Utterance.from_dict(row) for row in value["utterances"]),
            translated,
            value["language"],
            value["duration"],
            tuple(
                Segment(row["start"], row["end"], row["text"], (), row["avg_logprob"], row["no_speech_prob"])
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
