"""A transcript or a translation in OpenAI's formats."""

import math
import zlib
from collections.abc import Collection, Iterator

from starlette.responses import Response

from octavia import subtitles
from octavia.api.http.bodies import answer
from octavia.api.openai.schemas import SegmentOut, TextFormat, TextOut, UsageOut, VerboseOut, WordOut
from octavia.catalog import languages
from octavia.text.transcripts import Transcript
from octavia.text.words import Segment

_FRAMES_A_SECOND = 100
_LEAST_PROBABILITY = 1e-4


def present(transcript: Transcript, format: TextFormat, granularities: Collection[str] = ("segment",)) -> Response:
    """Return the answer with a transcript in one of the formats.

    Parameters:
      granularities: The timestamps in ``verbose_json``: ``word``, ``segment`` or both.
    """
    if format == "json":
        return answer(TextOut(text=transcript.text, usage=usage(transcript)))
    if format == "verbose_json":
        return answer(_verbose(transcript, granularities), exclude_none=True)
    if format == "text":
        return _plain(f"{transcript.text}\n", subtitles.MEDIA_TYPES["txt"])
    return _plain(subtitles.write(format, transcript), subtitles.MEDIA_TYPES[format])


def usage(transcript: Transcript) -> UsageOut:
    """Return the usage, which is the length of the recording."""
    return UsageOut(seconds=math.ceil(transcript.duration or 0.0))


def _plain(text: str, media_type: str) -> Response:
    return Response(text, headers={"cache-control": "no-store"}, media_type=media_type)


def _verbose(transcript: Transcript, granularities: Collection[str]) -> VerboseOut:
    return VerboseOut(
        task="translate" if transcript.translated else "transcribe",
        language=languages.name(transcript.language or "").lower(),
        duration=transcript.duration or 0.0,
        text=transcript.text,
        segments=[_segment(number, found) for number, found in enumerate(_segments(transcript))]
        if "segment" in granularities
        else None,
        words=list(_words(transcript)) if "word" in granularities else None,
        usage=usage(transcript),
    )


def _segments(transcript: Transcript) -> Iterator[Segment]:
    """Yield the recogniser's segments; of a translation, its sentences with their words' confidence."""
    if not transcript.translated:
        yield from transcript.segments
        return
    for utterance in transcript.utterances:
        confidence = 1.0 if utterance.confidence is None else utterance.confidence
        yield Segment(
            utterance.start,
            utterance.end,
            transcript.text_of(utterance),
            avg_logprob=math.log(max(confidence, _LEAST_PROBABILITY)),
        )


def _segment(number: int, found: Segment) -> SegmentOut:
    text = found.text.encode()
    return SegmentOut(
        id=number,
        seek=round(found.start * _FRAMES_A_SECOND),
        start=found.start,
        end=found.end,
        text=f" {found.text}",
        avg_logprob=found.avg_logprob,
        compression_ratio=len(text) / len(zlib.compress(text)),
        no_speech_prob=found.no_speech_prob,
    )


def _words(transcript: Transcript) -> Iterator[WordOut]:
    for utterance in transcript.utterances:
        for word in utterance.words:
            yield WordOut(word=word.text.strip(), start=word.start, end=word.end)
