"""Spoken utterances, each at its place, as one track."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from octavia.engines.types import Audio, Samples
from octavia.media.resample import resample
from octavia.media.timeline import Placement

_FADE_SECONDS = 0.01


def render(
    placements: Sequence[Placement], open_audio: Callable[[int], Audio], *, rate: int, total: float = 0.0
) -> Iterator[Samples]:
    """Yield silence and speech in blocks; one utterance is in memory at a time.

    Each begins at the very sample that its placement says, and fades in and out. One that does not end before the next
    begins is cut there.

    Parameters:
      placements: From ``place``, in order.
      open_audio: Gives the speech of the placement at an index; it is called once for each, in order.
      rate: Samples per second.
      total: The track is at least this long, in seconds.
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
    """The same with its first and last 10 ms rising from and falling to silence, so that no cut clicks."""
    count = min(round(_FADE_SECONDS * rate), len(samples) // 2)
    ramp = np.sin(np.arange(count, dtype=np.float32) * np.float32(np.pi / 2 / max(count, 1))) ** 2
    result = samples.copy()
    result[:count] *= ramp
    result[len(result) - count :] *= ramp[::-1]
    return result


def _silence(count: int, rate: int) -> Iterator[Samples]:
    for start in range(0, count, rate):
        yield np.zeros(min(rate, count - start), dtype=np.float32)
