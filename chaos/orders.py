"""The jobs that clients order: small real ones and some of several chunks, whose results a calm run shows first."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from octavia.engines.types import SPEECH_RATE, Samples
from octavia.media.decode import decode
from octavia.media.encode import Encoder
from octavia.media.split import split

SAMPLE = Path(__file__).parents[1] / "samples" / "sense_and_sensibility.flac"
LONGEST_CLIP = 5.0
LONGEST_CHUNK = 6.0
"""Seconds: a clip is one chunk, and the whole sample several."""

_ONE_CANCELED_OF = 10

_TEXTS = (
    "The train to the coast leaves at seven.",
    "Nothing that was accepted is ever lost.",
    "He might even have been made amiable himself.",
    "Please send the three letters before noon. The office closes early today.",
    "Rain is expected in the hills. Take a coat, and keep to the path.",
)
_ENGLISH = {"source_language": "en"}
_SPANISH = {"source_language": "en", "target_language": "es"}
# Dubbed in English: the Spanish voice takes as long as everything else together.
_REVOICED = {"source_language": "en", "target_language": "en", "revoice": True}


@dataclass(frozen=True, slots=True)
class Order:
    """A job to submit.

    Attributes:
      name: Tells what it makes; orders of one name have the same results.
      fields: Of its submission.
      long: It has several chunks, of which some wait while others are under way.
      canceled: Its client cancels it in the middle.
    """

    name: str
    type: str
    fields: Mapping[str, Any] = field(repr=False)
    long: bool = False
    canceled: bool = False


def orders(sample: Path = SAMPLE) -> tuple[Order, ...]:
    """All distinct orders: texts spoken and translated; clips of at most 5 s and the sample transcribed and so on."""
    made = [
        Order(f"speak text {number}", "synthesize", {"text": text, **_ENGLISH}) for number, text in _numbered(_TEXTS)
    ]
    made += [
        Order(f"translate text {number}", "translate", {"text": text, **_SPANISH})
        for number, text in _numbered(_TEXTS[:2])
    ]
    for number, clip in _numbered(_clips(sample)):
        file = (f"clip-{number}.flac", clip)
        made.append(Order(f"transcribe clip {number}", "transcribe", {"file": file, **_ENGLISH}))
        made.append(Order(f"translate clip {number}", "translate", {"file": file, **_SPANISH}))
        if number <= 2:
            made.append(Order(f"revoice clip {number}", "dub", {"file": file, **_REVOICED}))
    whole = {"file": (sample.name, sample.read_bytes())}
    made.append(Order("transcribe the sample", "transcribe", {**whole, **_ENGLISH}, long=True))
    made.append(Order("revoice the sample", "dub", {**whole, **_REVOICED}, long=True))
    return tuple(made)


def drawn(known: Sequence[Order], count: int, random: Random) -> list[Order]:
    """Draw ``count`` orders in random order, each equally often; among them a tenth as many that are canceled."""
    many = [known[number % len(known)] for number in range(count)]
    long = [order for order in known if order.long]
    many += [replace(long[number % len(long)], canceled=True) for number in range(count // _ONE_CANCELED_OF)]
    random.shuffle(many)
    return many


def _clips(sample: Path) -> list[bytes]:
    chunks = list(split(decode(sample), rate=SPEECH_RATE, longest=LONGEST_CLIP))
    return [_flac(chunk.samples) for chunk in chunks[:4]]


def _flac(samples: Samples) -> bytes:
    target = io.BytesIO()
    with Encoder(target, "flac", SPEECH_RATE) as encoder:
        encoder.write(samples)
    return target.getvalue()


def _numbered(things: Any) -> Any:
    return enumerate(things, 1)
