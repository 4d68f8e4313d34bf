"""Keep true peaks, those between the samples too, below a ceiling without audible changes."""

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from octavia.engines.types import Samples
from octavia.media.loudness import factor

_OVERSAMPLING = 4
# Samples on either side that an interpolated one is computed from.
_REACH = 16
_ATTACK_SECONDS = 0.005
# dB by which fourfold oversampling may underestimate a peak and a moving gain may raise one.
_MARGIN = 0.3


def limit(blocks: Iterable[Samples], rate: int, ceiling: float) -> Iterator[Samples]:
    """Turn a sound down around every true peak (ITU-R BS.1770-4) above the ceiling; its length does not change.

    The gain begins to fall 10 ms before a peak and is back 10 ms after it; no other samples change. The block sizes
    make no difference. Memory is bounded by two blocks.

    Parameters:
      blocks: Mono samples in order.
      rate: Sample rate in Hz.
      ceiling: Highest true peak, in dBTP.
    """
    most = factor(ceiling - _MARGIN)
    half = max(1, round(_ATTACK_SECONDS * rate))
    # A sample's gain is a mean of minima, each over the peaks near it: so many samples on either side bear on it.
    context = 2 * half + _REACH
    held = np.zeros(context, dtype=np.float32)
    for block in chain(blocks, [np.zeros(context, dtype=np.float32)]):
        held = np.concatenate([held, block])
        if len(held) > 2 * context:
            yield _limited(held, most, half)[context:-context]
            held = held[-2 * context :]


def true_peaks(samples: Samples) -> Samples:
    """Return the largest magnitude at and around each sample, four times oversampled; same shape as ``samples``."""
    count = len(samples)
    peaks = np.abs(samples)
    padded = np.pad(samples, _REACH)
    for phase in _PHASES:
        # Between each sample and the next; the first lies before all samples.
        between = np.abs(np.convolve(padded, phase, "valid"))[: count + 1]
        peaks = np.maximum(peaks, np.maximum(between[:count], between[1:]))
    return peaks


def _limited(samples: Samples, most: float, half: int) -> Samples:
    # Cheap test first: an interpolated value is at most _PHASE_GAIN times the largest sample.
    if np.abs(samples).max() * _PHASE_GAIN <= most:
        return samples
    peaks = true_peaks(samples)
    if peaks.max() <= most:
        return samples
    needed = most / np.maximum(peaks, most)
    lowest = _sliding_minimum(np.pad(needed, half, constant_values=1.0), 2 * half + 1)
    window = np.hanning(2 * half + 3)[1:-1]
    # A mean of minima that all include a peak's own gain is at most that gain.
    gains = np.convolve(np.pad(lowest, half, mode="edge"), window / window.sum(), "valid")
    return (samples * gains).astype(np.float32)


def _sliding_minimum(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return the minimum of every ``width`` consecutive values."""
    span = 1
    while span < width:
        step = min(span, width - span)
        values = np.minimum(values[:-step], values[step:])
        span += step
    return values


def _phases() -> list[Samples]:
    """Compute a windowed sinc for each position between two samples."""
    taps = np.arange(-_REACH, _REACH) + 1.0
    made = []
    for number in range(1, _OVERSAMPLING):
        distance = taps - number / _OVERSAMPLING
        taper = np.cos(np.pi * distance / (2 * _REACH + 1)) ** 2
        phase = np.sinc(distance) * taper
        made.append((phase / phase.sum()).astype(np.float32)[::-1].copy())
    return made


_PHASES = _phases()
_PHASE_GAIN = max(float(np.abs(phase).sum()) for phase in _PHASES)
