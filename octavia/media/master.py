"""Master a track: one gain for all of it, and no true peak above a ceiling."""

from collections.abc import Callable, Iterator

import numpy as np

from octavia.engines.types import Samples
from octavia.media.limiter import limit
from octavia.media.loudness import decibels, gain_to, integrated_loudness

# LU; smaller differences are inaudible.
_CLOSE = 0.1

Sound = Callable[[], Iterator[Samples]]
"""Returns the track's mono blocks from the beginning at every call: it is measured before it is written."""


def leveled(sound: Sound, rate: int, loudness: float) -> Sound:
    """Bring a track to ``loudness`` LUFS with one gain; reads it once to measure it. Silence stays silent."""
    return _louder(sound, gain_to(loudness, integrated_loudness(sound(), rate)))


def mastered(sound: Sound, rate: int, loudness: float, ceiling: float) -> Iterator[Samples]:
    """Bring a track to ``loudness`` LUFS with true peaks of at most ``ceiling`` dBTP.

    The gain makes up for the loudness that the limiter takes; reads the track two or three times.

    Parameters:
      sound: The track, near that loudness already.
      rate: Sample rate in Hz.
    """
    gain = 1.0
    for _ in range(2):
        missing = gain_to(loudness, integrated_loudness(limit(_louder(sound, gain)(), rate, ceiling), rate))
        gain *= missing
        if abs(decibels(missing)) < _CLOSE:
            break
    return limit(_louder(sound, gain)(), rate, ceiling)


def _louder(sound: Sound, gain: float) -> Sound:
    factor = np.float32(gain)
    return lambda: (block * factor for block in sound())
