"""A chunk's speech as one sound that can be played before the dub is assembled."""

import io
from collections.abc import Sequence
from dataclasses import replace

from octavia import tracing
from octavia.engines.types import Audio
from octavia.engines.voices.tempo import stretch
from octavia.jobs.status.preview import PIECE, RATE
from octavia.media import adts
from octavia.media.encode import Encoder
from octavia.media.formats import FORMATS
from octavia.media.render import render
from octavia.media.timeline import Placement
from octavia.work import Work

# Three times as fast as the codec's best, for a sound that is heard once.
_QUICK = {"aac_coder": "fast"}


def save_preview(work: Work, placements: Sequence[Placement], speech: Sequence[Audio]) -> None:
    """Keep the utterances of a chunk, each at its place; the sound begins with the first. Without any, keep nothing.

    Only ``assemble`` knows the chunks before, so lateness that carries over cuts is not in it, nor is its loudness that
    of the dub.
    """
    if not placements:
        return
    begin = placements[0].start
    moved = [replace(placement, start=placement.start - begin) for placement in placements]

    def spoken(index: int) -> Audio:
        audio = speech[index]
        return Audio(stretch(audio.samples, audio.rate, placements[index].rate), audio.rate)

    target = io.BytesIO()
    with tracing.span("encode preview"), Encoder(target, adts.FORMAT, RATE, options=_QUICK) as encoder:
        for block in render(moved, spoken, rate=RATE):
            encoder.write(block)
    work.save(PIECE, target.getvalue(), FORMATS[adts.FORMAT].media_type)
