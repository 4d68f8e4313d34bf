"""Real recordings of a tone, made on the spot in any container."""

import io
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import av
import av.filter
import numpy as np
from av.stream import Disposition

TONE = 440.0
NO_FLAGS = Disposition(0)
BLOCK = 1_000


def tone(seconds: float, rate: int = 16_000, *, level: float = 0.3) -> np.ndarray:
    """A sine of ``seconds``, mono float32."""
    return (level * np.sin(np.arange(round(seconds * rate)) * 2 * np.pi * TONE / rate)).astype(np.float32)


def recording(
    format: str,
    *,
    audio: str | None = "aac",
    video: str | None = None,
    seconds: float = 6.0,
    rate: int = 16_000,
    layout: str = "mono",
    late: float = 0.0,
    gap: tuple[float, float] | None = None,
    video_seconds: float | None = None,
    options: dict[str, str] | None = None,
) -> bytes:
    """A file with a tone and perhaps a grey picture.

    Parameters:
      late: The sound's first timestamp.
      gap: ``(at, length)``: after ``at`` seconds of tone the timestamps jump ahead by ``length``.
      video_seconds: Length of the picture; as long as the sound by default.
      options: Of the muxer.
    """
    target = io.BytesIO()
    with av.open(target, "w", format=format, options=options or {}) as container:
        packets = []
        pictures = container.add_stream(video, rate=10) if video else None
        sound = container.add_stream(audio, rate=rate, layout=layout) if audio else None
        if pictures:
            pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
            for number in range(round((video_seconds or late + seconds) * 10)):
                frame = av.VideoFrame(64, 48, "yuv420p")
                for plane in frame.planes:
                    plane.update(b"\x80" * plane.buffer_size)
                frame.pts, frame.time_base = number, Fraction(1, 10)
                packets += pictures.encode(frame)
            packets += pictures.encode(None)
        if sound:
            channels = sound.codec_context.channels
            position = round(late * rate)
            samples = tone(seconds, rate)
            for start in range(0, len(samples), BLOCK):
                if gap and start == round(gap[0] * rate):
                    position += round(gap[1] * rate)
                block = np.repeat(samples[None, start : start + BLOCK], channels, axis=0)
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), "fltp", layout)
                frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), position
                position += block.shape[1]
                packets += sound.encode(frame)
            packets += sound.encode(None)
        for packet in sorted(packets, key=lambda packet: float((packet.dts or 0) * packet.time_base)):
            container.mux(packet)
    return target.getvalue()


@dataclass(frozen=True)
class Sound:
    """A sound track of a film, with a tone of its own."""

    pitch: float
    language: str = ""
    title: str = ""
    codec: str = "aac"
    layout: str = "mono"
    bit_rate: int = 64_000
    disposition: Disposition = NO_FLAGS


def many_sounds(format: str, sounds: Sequence[Sound], *, seconds: float = 2.0, rate: int = 48_000) -> bytes:
    """A film, or without pictures a recording, with several sound tracks."""
    target = io.BytesIO()
    # Else Matroska's muxer would flag a track by itself.
    options = {"default_mode": "passthrough"} if format == "matroska" else {}
    with av.open(target, "w", format=format, options=options) as container:
        packets = []
        for sound in sounds:
            stream = container.add_stream(sound.codec, rate=rate, layout=sound.layout)
            stream.bit_rate = sound.bit_rate
            stream.disposition = sound.disposition
            stream.metadata.update({"language": sound.language, "title": sound.title})
            samples = 0.3 * np.sin(np.arange(round(seconds * rate)) * 2 * np.pi * sound.pitch / rate)
            channels = stream.codec_context.channels
            for start in range(0, len(samples), BLOCK):
                block = np.repeat(samples[None, start : start + BLOCK], channels, axis=0).astype(np.float32)
                frame = av.AudioFrame.from_ndarray(block, "fltp", sound.layout)
                frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), start
                packets += stream.encode(frame)
            packets += stream.encode(None)
        for packet in sorted(packets, key=lambda packet: float((packet.dts or 0) * packet.time_base)):
            container.mux(packet)
    return target.getvalue()


def pitch(samples: np.ndarray, rate: int = 16_000) -> float:
    """The strongest frequency of a sound, in Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


def wav(samples: np.ndarray, rate: int = 16_000) -> bytes:
    """16-bit mono WAV, with a plain header of 44 bytes."""
    data = (np.clip(samples, -1, 1) * 32_767).astype("<i2").tobytes()
    return wav_header(len(data), rate) + data


def wav_channels(*channels: np.ndarray, rate: int = 16_000) -> bytes:
    """16-bit WAV of several channels, without a layout."""
    data = (np.clip(np.stack(channels, axis=1), -1, 1) * 32_767).astype("<i2").tobytes()
    return wav_header(len(data), rate, len(channels)) + data


def wav_header(size: int, rate: int = 16_000, channels: int = 1) -> bytes:
    """A header that promises ``size`` bytes of 16-bit samples."""
    align = 2 * channels
    riff = b"RIFF" + struct.pack("<I", (36 + size) & 0xFFFF_FFFF) + b"WAVE"
    byte_rate = (rate * align) & 0xFFFF_FFFF
    return riff + struct.pack("<4sIHHIIHH4sI", b"fmt ", 16, 1, channels, rate, byte_rate, align, 16, b"data", size)


def span_of_sound(samples: np.ndarray, rate: int = 16_000, *, above: float = 0.03) -> tuple[float, float]:
    """Where the first and the last loud sample lie, in seconds."""
    loud = np.flatnonzero(np.abs(samples) > above)
    return float(loud[0] / rate), float(loud[-1] / rate)


def box(kind: bytes, content: bytes) -> bytes:
    """A box of an MP4 or QuickTime file."""
    return struct.pack(">I", 8 + len(content)) + kind + content


@dataclass(frozen=True)
class Loudness:
    """What FFmpeg's own meter says of a sound: LUFS and dBTP."""

    integrated: float
    true_peak: float


def r128(samples: np.ndarray, rate: int) -> Loudness:
    """Measure mono sound whole; padded with silence to the meter's last window."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=rate, format="flt", layout="mono")
    # The meter of true peaks wants a rate that it can multiply by four within bounds of its own.
    chain = [source, graph.add("aresample", "48000"), graph.add("ebur128", "peak=true:metadata=1:framelog=quiet")]
    chain.append(graph.add("abuffersink"))
    for before, after in pairwise(chain):
        before.link_to(after)
    graph.configure()
    padded = np.concatenate([samples, np.zeros(rate // 5, dtype=np.float32)]).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(padded[None], "flt", "mono")
    frame.sample_rate, frame.pts = rate, 0
    graph.push(frame)
    graph.push(None)
    last: dict[str, str] = {}
    peak = -math.inf
    while True:
        try:
            last |= graph.pull().metadata
        except (av.BlockingIOError, av.EOFError):
            return Loudness(float(last["lavfi.r128.I"]), peak)
        peak = max(peak, 20 * math.log10(max(float(last.get("lavfi.r128.true_peak", 0.0)), 1e-9)))
