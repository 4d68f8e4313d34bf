"""Silence at the ends of synthetic speech."""

from collections.abc import Sequence

import numpy as np

from octavia.engines.types import Audio, Samples

_FRAME_SECONDS = 0.01
_THRESHOLD = 10 ** (-45 / 20)
"""Amplitude relative to the loudest frame (-45 dB): below is silence to a listener, above a soft consonant."""


def trim(samples: Samples, rate: int, *, seconds: float = 0.05) -> Samples:
    """Cut leading and trailing silence down to ``seconds`` each; samples that are all silent become that long.

    Parameters:
      rate: The sample rate in Hz.
    """
    frame = int(rate * _FRAME_SECONDS)
    kept = int(rate * seconds)
    frames = len(samples) // frame
    levels = np.sqrt(np.mean(np.square(samples[: frames * frame].reshape(frames, frame)), axis=1))
    loud = np.flatnonzero(levels > _THRESHOLD * levels.max(initial=0.0))
    if not loud.size:
        return samples[:kept]
    # A rest shorter than a frame belongs to the last frame.
    end = len(samples) if loud[-1] == frames - 1 else (int(loud[-1]) + 1) * frame + kept
    return samples[max(0, int(loud[0]) * frame - kept) : end]


def joined(sentences: Sequence[Samples], rate: int, gap: float = 0.2) -> Audio:
    """Join sentences with ``gap`` seconds of silence between them; without sentences, return the silence alone."""
    silence = np.zeros(int(rate * gap), np.float32)
    parts = [part for sentence in sentences for part in (silence, sentence)][1:]
    return Audio(np.concatenate(parts or [silence]), rate)
