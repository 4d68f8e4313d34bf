"""How loud audio is."""

import numpy as np
from numpy.typing import NDArray

from octavia.engines.types import Samples

_WINDOW_SECONDS = 0.05
_SPEECH_LEVEL = -23.0
_PEAK = 0.89
_MOST_GAIN = 8.0
_FLOOR = 1e-5


def rms(samples: Samples) -> float:
    """Root mean square, 0–1; 0 for no samples."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0


def decibels(level: float) -> float:
    """A level of 0–1 in dB below full scale; silence is -100."""
    return 20 * float(np.log10(max(level, _FLOOR)))


def loudness(samples: Samples, rate: int) -> float:
    """Level of the voiced parts, in dB below full scale: pauses do not make a voice quieter."""
    window = max(1, int(_WINDOW_SECONDS * rate))
    powers = window_powers(samples, window)
    if not len(powers):
        return decibels(rms(samples))
    voiced = powers[powers >= powers.max() * 0.01]
    return decibels(float(np.sqrt(voiced.mean())))


def window_powers(samples: Samples, window: int) -> NDArray[np.float64]:
    """Mean square of each whole window of ``window`` samples, in order."""
    count = len(samples) // window
    frames = samples[: count * window].reshape(count, window)
    powers: NDArray[np.float64] = np.einsum("ij,ij->i", frames, frames, dtype=np.float64)
    return powers / window


def leveled(samples: Samples, rate: int) -> Samples:
    """The same speech at the common level, turned down where its peaks would otherwise clip; silence stays as it is."""
    peak = float(np.abs(samples).max(initial=0.0))
    if peak < _FLOOR:
        return samples
    wanted = 10 ** ((_SPEECH_LEVEL - loudness(samples, rate)) / 20)
    return (samples * np.float32(min(wanted, _MOST_GAIN, _PEAK / peak))).astype(np.float32, copy=False)
