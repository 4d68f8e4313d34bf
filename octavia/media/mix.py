"""Mix the original under the dub."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from octavia.engines.types import Samples
from octavia.media.loudness import factor
from octavia.media.timeline import Placement

FALL_SECONDS = 0.2
"""Seconds before speech at which the original begins to fade down."""

RISE_SECONDS = 0.5
"""Seconds after speech that the original takes to come back."""

_MOST = np.float32(4.0)

Gains = Callable[[int, int], Samples]
"""Called with ``start`` and ``count``; returns the factors of ``count`` samples from sample ``start`` on."""


def under(voice: Iterable[Samples], original: Iterable[Samples], gains: Gains) -> Iterator[Samples]:
    """Add the original, times ``gains``, to the voice; the result has the voice's length and blocks."""
    rest = iter(original)
    held = np.zeros(0, dtype=np.float32)
    position = 0
    for block in voice:
        parts, count = [held], len(held)
        while count < len(block):
            more = next(rest, None)
            if more is None:
                more = np.zeros(len(block) - count, dtype=np.float32)
            # A film's float samples may hold any value, NaN and infinity too.
            more = np.nan_to_num(more, nan=0.0).clip(-_MOST, _MOST)
            parts.append(more)
            count += len(more)
        held = np.concatenate(parts)
        yield block + held[: len(block)] * gains(position, len(block))
        held = held[len(block) :]
        position += len(block)


def steady(level: float) -> Gains:
    """Make a constant gain of ``level`` dB."""
    gain = np.float32(factor(level))
    return lambda start, count: np.full(count, gain, dtype=np.float32)


def ducked(placements: Sequence[Placement], level: float, rate: int) -> Gains:
    """Make a gain of ``level`` dB while the dub speaks and 0 dB elsewhere, fading linearly in dB before and after.

    It stays down in pauses too short for it to come back.

    Parameters:
      rate: Sample rate in Hz.
    """
    at: list[float] = []
    decibels: list[float] = []
    for placement in (placement for placement in placements if placement.seconds > 0):
        if at and placement.start - FALL_SECONDS < at[-1]:
            del at[-2:], decibels[-2:]
        else:
            at += [placement.start - FALL_SECONDS, placement.start]
            decibels += [0.0, level]
        at += [placement.end, placement.end + RISE_SECONDS]
        decibels += [level, 0.0]
    if not at:
        return steady(0.0)

    def gains(start: int, count: int) -> Samples:
        times = np.arange(start, start + count) / rate
        return np.asarray(10 ** (np.interp(times, at, decibels) / 20), dtype=np.float32)

    return gains
