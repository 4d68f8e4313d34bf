"""Render spoken utterances, each at its place, into one track."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from octavia.engines.types import Audio, Samples
from octavia.media.resample import resample
from octavia.media.timeline import Placement

_FADE_SECONDS = 0.01


def render(
    placements: Sequence[Placement], open_audio: Callable[[int], Audio], *, rate: int, total: float = 0.0
) -> Iterator[Samples]:
    """Yield silence and speech in blocks, with one utterance in memory at a time.

    Each utterance begins at the exact sample of its placement, fades in and out, and is cut off where the next begins.

    Parameters:
      placements: Placements in order.
      open_audio: Returns the speech of the placement at an index; called once for each, in order.
      rate: Sample rate of the track in Hz.
      total: Least length of the track in seconds.
    """
    starts = [round(placement.start * rate) for placement in placements]
    written = 0
    for index, start in enumerate(starts):
        audio = open_audio(index)
        samples = resample(audio.samples, audio.rate, rate)
        if index + 1 < len(starts):
            samples = samples[: starts[index + 1] - start]
        yield from _silence(start - written, rate)
        if len(samples):
            yield faded(samples, rate)
        written = start + len(samples)
    yield from _silence(round(total * rate) - written, rate)


def faded(samples: Samples, rate: int) -> Samples:
    """Fade the first and last 10 ms from and to silence, so that no cut clicks; returns a copy."""
    count = min(round(_FADE_SECONDS * rate), len(samples) // 2)
    ramp = np.sin(np.arange(count, dtype=np.float32) * np.float32(np.pi / 2 / max(count, 1))) ** 2
    result = samples.copy()
    result[:count] *= ramp
    result[len(result) - count :] *= ramp[::-1]
    return result


def _silence(count: int, rate: int) -> Iterator[Samples]:
    for start in range(0, count, rate):
        yield np.zeros(min(rate, count - start), dtype=np.float32)
