"""Loudness: decibels, the power of short windows, and EBU R 128 (ITU-R BS.1770-4) of a whole track."""

import math
from collections.abc import Iterable

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

from octavia.engines.types import Samples
from octavia.media.resample import to_frame

# LUFS; FFmpeg reports this when nothing passed the gate: BS.1770 takes quieter blocks for silence.
_GATE = -70.0
# Length of a gating block; a shorter sound has none.
_BLOCK_SECONDS = 0.4


def factor(decibels: float) -> float:
    """The factor that makes samples ``decibels`` dB louder."""
    return float(10 ** (decibels / 20))


def decibels(factor: float) -> float:
    """The gain in dB of samples that were multiplied by ``factor``, which is more than 0."""
    return 20 * math.log10(factor)


def window_powers(samples: Samples, window: int) -> NDArray[np.float64]:
    """Mean square of each whole window of ``window`` samples, in order; shape ``(len(samples) // window,)``."""
    count = len(samples) // window
    frames = samples[: count * window].reshape(count, window)
    powers: NDArray[np.float64] = np.einsum("ij,ij->i", frames, frames, dtype=np.float64)
    return powers / window


def integrated_loudness(blocks: Iterable[Samples], rate: int) -> float:
    """Measure the integrated loudness of mono sound in LUFS, gating out pauses; -inf for silence.

    A sound shorter than a gating block (0.4 s) is measured as if it were repeated. Memory does not grow with the
    length.

    Parameters:
      rate: Sample rate in Hz.
    """
    meter = _Meter(rate)
    least = math.ceil(_BLOCK_SECONDS * rate)
    beginning = np.zeros(0, dtype=np.float32)
    for block in blocks:
        if len(beginning) < least:
            beginning = np.concatenate([beginning, block[:least]])
        meter.push(block)
    if 0 < len(beginning) < least:
        meter = _Meter(rate)
        meter.push(np.resize(beginning, 2 * least))
    return meter.read()


def gain_to(target: float, measured: float) -> float:
    """Return the factor that brings a track from ``measured`` to ``target`` LUFS; 1 for silence (-inf)."""
    return factor(target - measured) if math.isfinite(measured) else 1.0


class _Meter:
    """FFmpeg's ``ebur128`` filter, fed piece by piece."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._position = 0
        self._reading = _GATE
        self._graph = Graph()
        source = self._graph.add_abuffer(sample_rate=rate, format="flt", layout="mono")
        filter = self._graph.add("ebur128", "metadata=1:framelog=quiet")
        source.link_to(filter)
        filter.link_to(self._graph.add("abuffersink"))
        self._graph.configure()

    def push(self, samples: Samples) -> None:
        """Measure more samples."""
        if not len(samples):
            return
        frame = to_frame(samples, self._rate)
        frame.pts = self._position
        self._position += len(samples)
        self._graph.push(frame)
        self._take()

    def read(self) -> float:
        """Finish, and return the loudness of all samples in LUFS; -inf for silence."""
        self._graph.push(None)
        self._take()
        return self._reading if self._reading > _GATE else -math.inf

    def _take(self) -> None:
        while True:
            try:
                frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            # A short last frame has no reading of its own.
            self._reading = float(frame.metadata.get("lavfi.r128.I", self._reading))
