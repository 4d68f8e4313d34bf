"""Change the sample rate and channel layout of streamed audio with FFmpeg's resampler."""

from functools import lru_cache

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from octavia.engines.types import Samples
from octavia.media.downmix import Downmix

# The end of the names of layouts that only have a number of channels.
_NO_LAYOUT = " channels"


class Resampler:
    """Converts frames to mono float32 at ``rate`` Hz; several channels are mixed by ``Downmix``.

    All frames must have the rate, channel layout and sample format of the first one; check with ``matches``.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._resampler = AudioResampler(format="flt", layout="mono", rate=rate)
        self._shape: tuple[int, str, str] | None = None
        self._downmix: Downmix | None = None
        self._floats: AudioResampler | None = None

    def matches(self, frame: AudioFrame) -> bool:
        """Return whether ``frame`` may follow the earlier ones."""
        return self._shape is None or self._shape == _shape(frame)

    def push(self, frame: AudioFrame) -> Samples:
        """Convert a frame; returns the samples that are ready, perhaps none yet."""
        # The caller keeps the time by counting samples; the filter would reject odd timestamps.
        frame.pts = None
        if self._shape is None and frame.layout.nb_channels > 1:
            self._downmix = Downmix(_weights(frame.layout.name), frame.sample_rate)
            self._floats = AudioResampler(format="flt")
        self._shape = _shape(frame)
        if self._downmix is None or self._floats is None:
            return _joined(self._resampler.resample(frame))
        count = frame.layout.nb_channels
        return self._resampled(self._downmix.push(_joined(self._floats.resample(frame)).reshape(-1, count).T))

    def flush(self) -> Samples:
        """Return the remaining samples; the resampler cannot be used afterwards."""
        rest = self._resampled(self._downmix.flush()) if self._downmix else _joined([])
        last = [frame for frame in self._resampler.resample(None) if frame is not None]
        return np.concatenate([rest, _joined(last)])

    def _resampled(self, mixed: Samples) -> Samples:
        assert self._shape is not None
        if self._shape[0] == self._rate:
            return mixed
        return _joined(self._resampler.resample(to_frame(mixed, self._shape[0]))) if len(mixed) else mixed


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


@lru_cache(maxsize=32)
def _weights(layout: str) -> Samples:
    """The weights with which FFmpeg mixes the channels of a layout to mono; together at most full scale."""
    count = av.AudioLayout(layout).nb_channels
    equal = np.full(count, 1 / count, dtype=np.float32)
    if layout.endswith(_NO_LAYOUT):
        # FFmpeg would take the third microphone for the subwoofer.
        return equal
    mono = AudioResampler(format="flt", layout="mono", rate=48_000, options={"rematrix_maxval": "1.0"})
    # One sample of each channel in turn.
    frame = AudioFrame.from_ndarray(np.eye(count, dtype=np.float32).reshape(1, -1), format="flt", layout=layout)
    frame.sample_rate = 48_000
    try:
        weights = _joined([*mono.resample(frame), *(rest for rest in mono.resample(None) if rest is not None)])
    except av.FFmpegError:
        return equal
    return weights if weights.any() else equal


def _shape(frame: AudioFrame) -> tuple[int, str, str]:
    return frame.sample_rate, frame.layout.name, frame.format.name


def _joined(frames: list[av.AudioFrame]) -> Samples:
    if not frames:
        return np.zeros(0, dtype=np.float32)
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]).astype(np.float32, copy=False)
