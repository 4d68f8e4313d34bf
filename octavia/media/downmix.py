"""Mix channels to one without losing what they say: inverted channels are turned, and a lone one is not made quiet."""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octavia.engines.types import Samples

Numbers = NDArray[np.float64]

# Channels are compared over three windows, together as long as a few syllables.
_WINDOW_SECONDS = 0.25
# Of more samples in a second only some are compared.
_COMPARED_RATE = 48_000
# Correlation at which a channel is turned, and at which it is turned back. An inverted copy has -1; true stereo, with
# reverberation too, hardly goes below 0.
_TURN, _TURN_BACK = -0.5, -0.1
# Levels are compared over what lies ahead, and over the past with this half-life, in seconds: two people who talk in
# turns, each in a channel, are true stereo.
_AHEAD_SECONDS = 20.0
_MEMORY_SECONDS = 60.0
_MOST_VALUES = 1 << 23
# Loss of the mix in dB against the loudest channel. Up to the first value it is left, from the second on it is made up
# for. Two independent channels have 3, one beside silence 6; if one says the same as the mix, it is mono in disguise.
_OF_STEREO = (4.5, 5.5)
_OF_MONO = (3.0, 4.0)
_SAME = 0.95
# Mean square below which a window says nothing of its channels: -80 dB.
_SILENCE = 1e-8


class Downmix:
    """Mixes blocks of channels. Memory is bounded, and the same sound gives the same samples.

    True stereo is mixed with the given weights. Where a channel is nearly the inverse of another, its weight is turned.
    Where the mix is far quieter than the loudest channel, as with the other one silent or with speech in the centre
    alone, it is made louder, but not beyond full scale.

    Parameters:
      weights: Weight of each channel.
      rate: Sample rate in Hz.
    """

    def __init__(self, weights: Samples, rate: int) -> None:
        count = len(weights)
        self._plain = weights.astype(np.float64)
        self._size = max(1, min(round(_WINDOW_SECONDS * rate), _MOST_VALUES // count // 8))
        self._stride = max(1, rate // _COMPARED_RATE)
        self._ahead = min(round(_AHEAD_SECONDS * rate), _MOST_VALUES // count) // self._size
        self._kept = 0.5 ** (self._size / rate / _MEMORY_SECONDS)
        self._waiting = np.zeros((count, 0), dtype=np.float32)
        # The windows not mixed yet. All but the newest are turned.
        self._windows: deque[_Window] = deque()
        self._before = _Window.of(self._waiting, 1)
        self._signs = np.ones(count)
        self._products = np.zeros((count, count))
        self._weights: Numbers | None = None

    def push(self, channels: Samples) -> Samples:
        """Mix a block of shape ``(channels, samples)``; returns the samples that are ready."""
        self._waiting = np.concatenate([self._waiting, channels], axis=1)
        mixed = []
        while self._waiting.shape[1] >= self._size:
            self._take(self._waiting[:, : self._size])
            self._waiting = self._waiting[:, self._size :]
            if len(self._windows) > self._ahead + 1:
                mixed.append(self._mix())
        return _joined(mixed)

    def flush(self) -> Samples:
        """Return the rest of the samples, after which no more may be pushed."""
        self._take(self._waiting)
        self._take(self._waiting[:, :0])
        return _joined([self._mix() for _ in range(len(self._windows))])

    def _take(self, channels: Samples) -> None:
        """Append a window, and turn the channels of the one before it."""
        after = _Window.of(channels, self._stride)
        if self._windows:
            window = self._windows[-1]
            near = self._before.products + window.products + after.products
            compared = self._before.compared + window.compared + after.compared
            if near.diagonal().max() > _SILENCE * compared:
                self._signs = _turned(near, self._signs)
            window.signs = self._signs
            self._products = self._kept * self._products + np.outer(self._signs, self._signs) * window.products
            self._before = window
        self._windows.append(after)

    def _mix(self) -> Samples:
        """Mix the oldest window; the weights glide from those of the window before."""
        window = self._windows.popleft()
        wanted = self._wanted(window)
        former = wanted if self._weights is None else self._weights
        mixed = former.astype(np.float32) @ window.channels
        if not np.array_equal(former, wanted):
            ramp = np.linspace(0.0, 1.0, len(mixed), dtype=np.float32)
            mixed += ((wanted - former).astype(np.float32) @ window.channels) * ramp
        self._weights = wanted
        return np.asarray(mixed, dtype=np.float32)

    def _wanted(self, window: "_Window") -> Numbers:
        """The weights at the end of a window."""
        weights = self._plain * window.signs
        # The weights are those at the beginning of the next one too.
        peaks = [np.abs(weights @ heard.channels).max(initial=1e-9) for heard in (window, *list(self._windows)[:1])]
        return weights * max(1.0, min(self._gain(), 1.0 / float(max(peaks))))

    def _gain(self) -> float:
        """The factor that makes up for the loss of all that was turned so far."""
        powers = self._products.diagonal() * (self._plain > 0)
        loudest = int(powers.argmax())
        shared = self._plain @ self._products
        mixed = float(shared @ self._plain)
        if not 0 < mixed < powers[loudest]:
            return 1.0
        lost = 10 * math.log10(powers[loudest] / mixed)
        same = shared[loudest] ** 2 / (mixed * powers[loudest])
        left, made_up = _OF_MONO if same > _SAME else _OF_STEREO
        share = min(1.0, max(0.0, (lost - left) / (made_up - left)))
        return float(min(10 ** (lost * share / 20), 1.0 / self._plain.max()))


@dataclass(slots=True)
class _Window:
    """A stretch of all channels, and the sums of their products with each other over ``compared`` samples."""

    channels: Samples
    products: Numbers
    compared: int
    signs: Numbers

    @classmethod
    def of(cls, channels: Samples, stride: int) -> "_Window":
        some = np.nan_to_num(channels[:, ::stride], nan=0.0, posinf=0.0, neginf=0.0).astype(np.float64)
        return cls(channels, some @ some.T, some.shape[1], np.ones(len(channels)))


def _turned(products: Numbers, signs: Numbers) -> Numbers:
    """The sign of each channel: turned against that earlier one of which it is most nearly the inverse."""
    powers = np.sqrt(products.diagonal())
    result = np.ones_like(signs)
    for channel in range(1, len(signs)):
        both = powers[:channel] * powers[channel]
        correlations = np.divide(products[channel, :channel], both, out=np.zeros(channel), where=both > 0)
        other = int(np.argmin(correlations))
        most = _TURN if signs[other] == signs[channel] else _TURN_BACK
        if correlations[other] < most:
            result[channel] = -result[other]
    return result


def _joined(pieces: list[Samples]) -> Samples:
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.float32)
