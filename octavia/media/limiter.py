"""Keep peaks below a ceiling, those between the samples too, without being heard."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from octavia.engines.types import Samples
from octavia.media.loudness import factor

_OVERSAMPLING = 4
# Samples that an interpolated one is made of, on either side.
_REACH = 16
_ATTACK_SECONDS = 0.005
# What four times oversampling does not see of a peak, and what a gain in motion adds to one.
_MARGIN = 0.3


def limit(blocks: Iterable[Samples], rate: int, ceiling: float) -> Iterator[Samples]:
    """The same sound, as long, turned down around every true peak (BS.1770-4) above ``ceiling`` dBTP.

    The gain begins to fall 10 ms before a peak and is back 10 ms after it. Only those samples change, and how the
    blocks are cut makes no difference. Memory is bounded by two blocks.
    """
    most = factor(ceiling - _MARGIN)
    half = max(1, round(_ATTACK_SECONDS * rate))
    # All that bears on a sample: the gain is the mean of the least gains near it, and those are of peaks near them.
    context = 2 * half + _REACH
    held = np.zeros(context, dtype=np.float32)
    for block in blocks:
        held = np.concatenate([held, block])
        if len(held) > 2 * context:
            yield _limited(held, most, half)[context:-context]
            held = held[-2 * context :]
    held = np.concatenate([held, np.zeros(context, dtype=np.float32)])
    if len(held) > 2 * context:
        yield _limited(held, most, half)[context:-context]


def true_peaks(samples: Samples) -> Samples:
    """The largest magnitude at each sample, and between it and its neighbours, four times oversampled."""
    count = len(samples)
    peaks = np.abs(samples)
    padded = np.pad(samples, _REACH)
    for phase in _PHASES:
        # Between each sample and the next; the first lies before all.
        between = np.abs(np.convolve(padded, phase, "valid"))[: count + 1]
        peaks = np.maximum(peaks, np.maximum(between[:count], between[1:]))
    return peaks


def _limited(samples: Samples, most: float, half: int) -> Samples:
    # No interpolated value is far above the samples that it is made of.
    if np.abs(samples).max() * _PHASE_GAIN <= most:
        return samples
    peaks = true_peaks(samples)
    if peaks.max() <= most:
        return samples
    needed = most / np.maximum(peaks, most)
    lowest = _sliding_minimum(np.pad(needed, half, constant_values=1.0), 2 * half + 1)
    window = np.hanning(2 * half + 3)[1:-1]
    # The mean of minima that all include a peak's own gain is no higher than that.
    gains = np.convolve(np.pad(lowest, half, mode="edge"), window / window.sum(), "valid")
    return (samples * gains).astype(np.float32)


def _sliding_minimum(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """The least of every ``width`` values in a row."""
    span = 1
    while span < width:
        step = min(span, width - span)
        values = np.minimum(values[:-step], values[step:])
        span += step
    return values


def _phases() -> list[Samples]:
    """A windowed sinc for each place between two samples."""
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
