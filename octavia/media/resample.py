"""Change the sample rate and the layout of streamed audio, with FFmpeg's resampler."""

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from octavia.engines.types import Samples


class Resampler:
    """From frames of one shape to mono float32 at ``rate`` Hz.

    All input must have one rate, layout and format; ``matches`` tells whether a frame has that of the first.
    """

    def __init__(self, rate: int) -> None:
        # Without the bound, channels of floats are summed to more than full scale.
        self._resampler = AudioResampler(format="flt", layout="mono", rate=rate, options={"rematrix_maxval": "1.0"})
        self._shape: tuple[int, str, str] | None = None

    def matches(self, frame: AudioFrame) -> bool:
        """Whether ``frame`` may follow those pushed before it."""
        return self._shape is None or self._shape == _shape(frame)

    def push(self, frame: AudioFrame) -> Samples:
        """Take a frame; give what is ready, perhaps nothing yet."""
        self._shape = _shape(frame)
        # Times are kept by whoever counts the samples; the filter would only object to odd ones.
        frame.pts = None
        return _joined(self._resampler.resample(frame))

    def flush(self) -> Samples:
        """What is left inside, at the end; a new resampler is needed after it."""
        return _joined([frame for frame in self._resampler.resample(None) if frame is not None])


def resample(samples: Samples, source: int, target: int) -> Samples:
    """Whole mono samples from ``source`` to ``target`` Hz."""
    if source == target or not len(samples):
        return samples
    resampler = Resampler(target)
    return np.concatenate([resampler.push(to_frame(samples, source)), resampler.flush()])


def to_frame(samples: Samples, rate: int) -> AudioFrame:
    """Mono samples as a frame without a time."""
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples, dtype=np.float32)[None], format="flt", layout="mono")
    frame.sample_rate = rate
    return frame


def _shape(frame: AudioFrame) -> tuple[int, str, str]:
    return frame.sample_rate, frame.layout.name, frame.format.name


def _joined(frames: list[av.AudioFrame]) -> Samples:
    if not frames:
        return np.zeros(0, dtype=np.float32)
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]).astype(np.float32, copy=False)
