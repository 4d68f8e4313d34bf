"""Faster or slower speech at the same pitch."""

import av
import numpy as np

from octavia.engines.types import Samples


def stretch(samples: Samples, rate: int, speed: float) -> Samples:
    """Play mono ``samples`` ``speed`` times as fast (0.5 to 2) with FFmpeg's ``atempo``.

    Natural speed, and a sound of a few milliseconds, stay as they are.
    """
    if speed == 1.0 or not samples.size:
        return samples
    graph = av.filter.Graph()
    source = graph.add_abuffer(format="flt", layout="mono", sample_rate=rate)
    tempo = graph.add("atempo", str(speed))
    sink = graph.add("abuffersink")
    source.link_to(tempo)
    tempo.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="flt", layout="mono")
    frame.rate = rate
    graph.push(frame)
    graph.push(None)
    parts: list[Samples] = []
    while True:
        try:
            parts.append(np.asarray(graph.pull().to_ndarray()[0], np.float32))
        except (av.BlockingIOError, av.EOFError):
            break
    # A sound shorter than the filter's window does not come out at all.
    return np.concatenate(parts) if parts else samples
