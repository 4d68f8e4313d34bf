"""How strong sound is from one stretch to the next, and decibels."""

import math

import numpy as np
from numpy.typing import NDArray

from octavia.engines.types import Samples


def factor(decibels: float) -> float:
    """What samples are multiplied by to be so many decibels louder."""
    return float(10 ** (decibels / 20))


def decibels(factor: float) -> float:
    """How much louder samples are that were multiplied by ``factor``."""
    return 20 * math.log10(factor)


def window_powers(samples: Samples, window: int) -> NDArray[np.float64]:
    """Mean square of each whole window of ``window`` samples, in order."""
    count = len(samples) // window
    frames = samples[: count * window].reshape(count, window)
    powers: NDArray[np.float64] = np.einsum("ij,ij->i", frames, frames, dtype=np.float64)
    return powers / window
