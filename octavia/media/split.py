"""Cut a stream of samples into chunks at silences."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from octavia.engines.types import Samples
from octavia.media.loudness import window_powers

_STEP_SECONDS = 0.01
_SILENCE_STEPS = 20
_EARLIEST_SHARE = 0.6
_SHORTEST_TAIL = 3.0
# Mean squares: a silence is 30 dB below the chunk's own speech, or below the noise of any microphone (-80 dB).
_SILENCE_BELOW_SPEECH = 10 ** (-30 / 10)
_SILENCE_POWER = 1e-8


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of the input: its number from 0, where it starts in seconds, and its samples."""

    index: int
    start: float
    samples: Samples = field(repr=False)


def split(blocks: Iterable[Samples], *, rate: int, longest: float, first: int = 0, begin: int = 0) -> Iterator[Chunk]:
    """Yield chunks of at most ``longest`` seconds that together are the input; no input yields none.

    A chunk ends in the quietest 0.2 s of its last two fifths, or at its quietest instant if none of them is silent.
    The last chunk is not much shorter than 3 s unless it is the only one. Memory is bounded by two chunks.

    Parameters:
      blocks: Mono samples in order, in blocks of any size.
      rate: Sample rate in Hz.
      longest: Seconds; more than 1.
      first, begin: Number of the first chunk to yield, and the sample at which it begins. At the end of an earlier
        chunk of the same input, the chunks that follow are the same.
    """
    most = int(longest * rate)
    # Held back until the samples after it are known to be enough for a chunk.
    tail = int(min(_SHORTEST_TAIL, longest / 4) * rate)
    pending: list[Samples] = []
    held, index, position = 0, first, begin
    for block in _behind(blocks, begin):
        pending.append(block)
        held += len(block)
        while held > most + tail:
            whole = np.concatenate(pending)
            cut = _cut(whole[:most], rate)
            yield Chunk(index, position / rate, whole[:cut])
            index, position = index + 1, position + cut
            pending, held = [whole[cut:]], held - cut
    if not held:
        return
    rest = np.concatenate(pending)
    if held > most:
        cut = _cut(rest[: min(most, held - tail)], rate)
        yield Chunk(index, position / rate, rest[:cut])
        index, position, rest = index + 1, position + cut, rest[cut:]
    yield Chunk(index, position / rate, rest)


def _behind(blocks: Iterable[Samples], begin: int) -> Iterator[Samples]:
    """Leave out the first ``begin`` samples."""
    for block in blocks:
        if begin < len(block):
            yield block[begin:]
        begin = max(0, begin - len(block))


def _cut(samples: Samples, rate: int) -> int:
    """Return the sample at which to end a chunk, in the last two fifths of ``samples``."""
    step = max(1, int(_STEP_SECONDS * rate))
    powers = window_powers(samples, step)
    first = int(len(powers) * _EARLIEST_SHARE)
    if len(powers) - first < _SILENCE_STEPS:
        return len(samples)
    last_part = powers[first:]
    sums = np.convolve(last_part, np.ones(_SILENCE_STEPS) / _SILENCE_STEPS, mode="valid")
    speech = float(np.percentile(powers, 95))
    silent = sums <= max(_SILENCE_POWER, speech * _SILENCE_BELOW_SPEECH)
    if silent.any():
        # The latest of equally quiet ones: fewer chunks.
        best = len(sums) - 1 - int(np.argmin(sums[::-1]))
        return (first + best) * step + _SILENCE_STEPS * step // 2
    best = len(last_part) - 1 - int(np.argmin(last_part[::-1]))
    return (first + best) * step + step // 2
