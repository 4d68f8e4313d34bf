"""Faster or slower speech at the same pitch."""

import math
from contextlib import suppress

import av
import numpy as np

from octavia.engines.types import Samples


def stretch(samples: Samples, rate: int, speed: float) -> Samples:
    """Play mono ``samples`` at ``rate`` Hz ``speed`` times as fast (0.25 to 4) with FFmpeg's ``atempo``.

    ``n`` samples become ``round(n / speed)``. One filter at most halves or doubles the speed without skipping samples,
    so several share larger changes.
    """
    if speed == 1.0 or not samples.size:
        return samples
    graph = av.filter.Graph()
    last = graph.add_abuffer(format="flt", layout="mono", sample_rate=rate)
    steps = max(1, math.ceil(abs(math.log2(speed))))
    for _ in range(steps):
        tempo = graph.add("atempo", str(speed ** (1 / steps)))
        last.link_to(tempo)
        last = tempo
    last.link_to(graph.add("abuffersink"))
    graph.configure()
    # The filter keeps the end of its input, so silence is appended.
    rest = np.zeros(int(0.25 * rate * max(1.0, speed)), np.float32)
    frame = av.AudioFrame.from_ndarray(np.concatenate([samples, rest])[np.newaxis], format="flt", layout="mono")
    frame.rate = rate
    graph.push(frame)
    graph.push(None)
    parts: list[Samples] = []
    with suppress(av.BlockingIOError, av.EOFError):
        while True:
            parts.append(np.asarray(graph.pull().to_ndarray()[0], np.float32))
    return np.concatenate(parts)[: round(len(samples) / speed)]
