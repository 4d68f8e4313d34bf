"""The last step of a track: one gain for all of it, and no peak above a ceiling."""

from collections.abc import Callable, Iterator

import numpy as np

from octavia.engines.types import Samples
from octavia.media.limiter import limit
from octavia.media.loudness import decibels, gain_to, integrated

# LU that nobody hears.
_CLOSE = 0.1

Sound = Callable[[], Iterator[Samples]]
"""Mono blocks from the beginning, as often as it is called: a track is heard before it is written."""


def leveled(sound: Sound, rate: int, loudness: float) -> Sound:
    """The same, times the one gain that brings it to ``loudness`` LUFS; silence stays silent. Hears it once."""
    return _louder(sound, gain_to(loudness, integrated(sound(), rate)))


def mastered(sound: Sound, rate: int, loudness: float, ceiling: float) -> Iterator[Samples]:
    """The same at ``loudness`` LUFS with true peaks of at most ``ceiling`` dBTP.

    What the limiter takes is measured and made up for by the gain: the sound is heard two or three times.

    Parameters:
      sound: About as loud already.
    """
    gain = 1.0
    for _ in range(2):
        missing = gain_to(loudness, integrated(limit(_louder(sound, gain)(), rate, ceiling), rate))
        gain *= missing
        if abs(decibels(missing)) < _CLOSE:
            break
    return limit(_louder(sound, gain)(), rate, ceiling)


def _louder(sound: Sound, gain: float) -> Sound:
    factor = np.float32(gain)
    return lambda: (block * factor for block in sound())
