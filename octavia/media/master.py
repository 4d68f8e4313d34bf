"""The last step of a track: one gain for all of it, and no peak above a ceiling."""

from collections.abc import Callable, Iterator

import numpy as np

from octavia.engines.types import Samples
from octavia.media.limiter import limit
from octavia.media.loudness import gain_to, integrated

Sound = Callable[[], Iterator[Samples]]
"""Mono blocks from the beginning, as often as it is called: a track is heard before it is written."""


def leveled(sound: Sound, rate: int, loudness: float) -> Sound:
    """The same, times the one gain that brings it to ``loudness`` LUFS; silence stays silent. Hears it once."""
    return _louder(sound, gain_to(loudness, integrated(sound(), rate)))


def mastered(sound: Sound, rate: int, loudness: float, ceiling: float) -> Iterator[Samples]:
    """The same at ``loudness`` LUFS with true peaks of at most ``ceiling`` dBTP. Hears it twice.

    Parameters:
      sound: About as loud already: what the limiter will take from it is measured, and made up for by the gain.
    """
    reached = integrated(limit(sound(), rate, ceiling), rate)
    return limit(_louder(sound, gain_to(loudness, reached))(), rate, ceiling)


def _louder(sound: Sound, gain: float) -> Sound:
    factor = np.float32(gain)
    return lambda: (block * factor for block in sound())
