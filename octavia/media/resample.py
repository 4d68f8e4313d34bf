"""Change the sample rate and channel layout of streamed audio with FFmpeg's resampler."""

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from octavia.engines.types import Samples


class Resampler:
    """Converts frames to mono float32 at ``rate`` Hz.

    All frames must have the rate, channel layout and sample format of the first one; check with ``matches``.
    """

    def __init__(self, rate: int) -> None:
        # Without the bound, float channels would add up to more than full scale.
        self._resampler = AudioResampler(format="flt", layout="mono", rate=rate, options={"rematrix_maxval": "1.0"})
        self._shape: tuple[int, str, str] | None = None

    def matches(self, frame: AudioFrame) -> bool:
        """Return whether ``frame`` may follow the earlier ones."""
        return self._shape is None or self._shape == _shape(frame)

    def push(self, frame: AudioFrame) -> Samples:
        """Convert a frame; returns the samples that are ready, perhaps none yet."""
        self._shape = _shape(frame)
        # The caller keeps the time by counting samples; the filter would reject odd timestamps.
        frame.pts = None
        return _joined(self._resampler.resample(frame))

    def flush(self) -> Samples:
        """Return the remaining samples; the resampler cannot be used afterwards."""
        return _joined([frame for frame in self._resampler.resample(None) if frame is not None])


def resample(samples: Samples, source: int, target: int) -> Samples:
    """Convert all mono samples of a sound from ``source`` to ``target`` Hz."""
    if source == target or not len(samples):
        return samples
    resampler = Resampler(target)
    return np.concatenate([resampler.push(to_frame(samples, source)), resampler.flush()])


def to_frame(samples: Samples, rate: int) -> AudioFrame:
    """Wrap mono samples at ``rate`` Hz in a frame without a timestamp."""
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples, dtype=np.float32)[None], format="flt", layout="mono")
    frame.sample_rate = rate
    return frame


def _shape(frame: AudioFrame) -> tuple[int, str, str]:
    return frame.sample_rate, frame.layout.name, frame.format.name


def _joined(frames: list[av.AudioFrame]) -> Samples:
    if not frames:
        return np.zeros(0, dtype=np.float32)
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]).astype(np.float32, copy=False)
