"""Films whose pictures tell the time, and clicks to hold against it."""

import io
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np

FPS = 25
_WIDTH, _HEIGHT = 160, 48
_BITS = 16

SUFFIXES = {"mp4": "mp4", "mov": "mov", "matroska": "mkv", "webm": "webm", "avi": "avi", "mpegts": "ts"}

# The sizes and pixels that some codecs insist on.
_SIZES = {"h263": (176, 144), "dvvideo": (720, 576)}
_PIXELS = {"huffyuv": "yuv422p", "cinepak": "rgb24", "flashsv": "bgr24", "flashsv2": "bgr24"}


def film(
    format: str,
    *,
    video: str = "libx264",
    audio: str = "aac",
    seconds: float = 12.0,
    clicks: Sequence[float] = (),
    said: np.ndarray | None = None,
    late: float = 0.0,
    hidden: float = 0.0,
    rate: int = 48_000,
    options: dict[str, str] | None = None,
) -> bytes:
    """Moving pictures, each with its number burnt in, and a sound with clicks.

    Parameters:
      clicks: When, in seconds of the picture.
      said: The sound instead, at ``rate``; the film is as long.
      late: When the sound begins.
      hidden: How much at the beginning lies before time 0, and is not shown.
      options: Of the muxer.
    """
    whole = clicking(seconds, clicks, rate) if said is None else said
    target = io.BytesIO()
    with av.open(target, "w", format=format, options=options or {}) as container:
        pictures = container.add_stream(video, rate=FPS)
        pictures.width, pictures.height = _SIZES.get(video, (_WIDTH, _HEIGHT))
        pictures.pix_fmt = _PIXELS.get(video, "yuv420p")
        pictures.bit_rate = 1_000_000
        pictures.time_base = Fraction(1, FPS)
        if video == "libx264":
            # Pictures that are not stored in the order in which they are shown.
            pictures.options = {"preset": "ultrafast", "bf": "2", "g": "50"}
        if video == "libvpx":
            pictures.options = {"deadline": "realtime", "cpu-used": "8"}
        sound = container.add_stream(audio, rate=rate, layout="stereo")
        sound.bit_rate = 128_000
        packets = []
        for number in range(round(len(whole) / rate * FPS)):
            frame = av.VideoFrame.from_ndarray(_numbered(number, pictures.width, pictures.height), "gray")
            frame = frame.reformat(format=pictures.pix_fmt)
            frame.pts, frame.time_base = number - round(hidden * FPS), Fraction(1, FPS)
            packets += pictures.encode(frame)
        packets += pictures.encode(None)
        samples = whole[round(late * rate) :]
        for start in range(0, len(samples), 1_000):
            block = np.ascontiguousarray(np.repeat(samples[None, start : start + 1_000], 2, axis=0))
            sounding = av.AudioFrame.from_ndarray(block, "fltp", "stereo")
            sounding.sample_rate, sounding.time_base = rate, Fraction(1, rate)
            sounding.pts = round((late - hidden) * rate) + start
            packets += sound.encode(sounding)
        packets += sound.encode(None)
        for packet in sorted(packets, key=lambda packet: float(packet.dts * packet.time_base)):
            container.mux(packet)
    return target.getvalue()


def clicking(seconds: float, clicks: Sequence[float], rate: int) -> np.ndarray:
    """Near silence with short bursts at some times, mono float32."""
    generator = np.random.default_rng(5)
    samples = (0.0001 * generator.standard_normal(round(seconds * rate))).astype(np.float32)
    count = round(0.004 * rate)
    for at in clicks:
        start = round(at * rate)
        samples[start : start + count] = 0.8 * np.sin(np.arange(count) * 2 * np.pi * 2_000 / rate)
    return samples


def heard_clicks(data: bytes, track: int) -> list[float]:
    """When the clicks of an audio track begin, by the file's own clock."""
    found: list[float] = []
    with av.open(io.BytesIO(data)) as container:
        for frame in container.decode(container.streams.audio[track]):
            for at in np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.2) / frame.sample_rate:
                time = float(frame.pts * frame.time_base) + float(at)
                if not found or time - found[-1] > 0.1:
                    found.append(time)
    return found


def shown_times(data: bytes) -> list[tuple[float, float]]:
    """Of each picture when it is shown, by the file's own clock, and the time that is burnt in."""
    with av.open(io.BytesIO(data)) as container:
        shown = [
            (float(frame.pts * frame.time_base), frame.to_ndarray(format="gray")) for frame in container.decode(video=0)
        ]
    return [(time, _number(picture) / FPS) for time, picture in shown]


def first_time(data: bytes, stream: int) -> float:
    """When a stream's first packet is shown or heard, by the file's own clock."""
    with av.open(io.BytesIO(data)) as container:
        packet = next(container.demux(container.streams[stream]))
        return float((packet.pts if packet.pts is not None else packet.dts) * packet.time_base)


def packets_of(data: bytes, stream: int) -> list[bytes]:
    """The bytes of a stream's packets, in order."""
    with av.open(io.BytesIO(data)) as container:
        return [bytes(packet) for packet in container.demux(container.streams[stream]) if packet.size]


def _numbered(number: int, width: int, height: int) -> np.ndarray:
    bits = np.array([number >> bit & 1 for bit in range(_BITS)], dtype=np.uint8)
    return np.tile(np.repeat(bits * 200 + 28, width // _BITS), (height, 1))


def _number(picture: np.ndarray) -> int:
    levels = picture.reshape(len(picture), _BITS, -1).mean(axis=(0, 2))
    return int(sum(1 << bit for bit in range(_BITS) if levels[bit] > 128))
