"""Media that nobody recorded: tiny files that claim to be long, crowded ones, damaged ones; all made on the spot."""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable

from tests.support.media import box


def flac(frames: int, *, rate: int = 1_000, frame_rate: int | None = None, total: int = 0) -> bytes:
    """Silence in frames of 65,535 samples, of 14 bytes each: as dense as FLAC gets.

    Parameters:
      rate: Samples per second, as the header and the first three frames say.
      frame_rate: What the others say of it, which may be something else.
      total: Samples that the header promises; 0: it does not know.
    """
    packed = (rate << 44) | (15 << 36) | total
    info = struct.pack(">HH", 65_535, 65_535) + bytes(6) + packed.to_bytes(8, "big") + bytes(16)
    return (
        b"fLaC\x80\0\0\x22"
        + info
        + b"".join(_flac_frame(number, frame_rate if number >= 3 else None) for number in range(frames))
    )


def _flac_frame(number: int, rate: int | None) -> bytes:
    own_rate = b"" if rate is None else struct.pack(">H", rate)
    header = b"\xff\xf8" + bytes([0x70 | (0 if rate is None else 0x0D), 0x08]) + _utf8(number)
    header += struct.pack(">H", 65_534) + own_rate
    header += bytes([_crc(header, 0x07, 8)])
    frame = header + b"\0\0\0"
    return frame + struct.pack(">H", _crc(frame, 0x8005, 16))


def _utf8(number: int) -> bytes:
    """FLAC counts in UTF-8, surrogates and all."""
    return chr(number).encode("utf-8", "surrogatepass")


def _crc(data: bytes, polynomial: int, bits: int, start: int = 0) -> int:
    value, top, mask = start, 1 << (bits - 1), (1 << bits) - 1
    for byte in data:
        value ^= byte << (bits - 8)
        for _ in range(8):
            value = ((value << 1) ^ polynomial if value & top else value << 1) & mask
    return value


def mp4_with_endless_index(data: bytes, samples: int) -> bytes:
    """An MP4 whose track claims so many samples of a byte each, in one chunk."""

    def rebuilt(content: bytes) -> bytes:
        result, at = b"", 0
        while at + 8 <= len(content):
            size, kind = struct.unpack_from(">I4s", content, at)
            inner = content[at + 8 : at + size]
            match kind:
                case b"moov" | b"trak" | b"mdia" | b"minf" | b"stbl":
                    result += box(kind, rebuilt(inner))
                case b"stsz":
                    result += box(kind, struct.pack(">III", 0, 1, samples))
                case b"stts":
                    result += box(kind, struct.pack(">IIII", 0, 1, samples, 1024))
                case b"stsc":
                    result += box(kind, struct.pack(">IIIII", 0, 1, 1, samples, 1))
                case _:
                    result += content[at : at + size]
            at += size
        return result

    return rebuilt(data)


def crowded_matroska(data: bytes, tracks: int) -> bytes:
    """A Matroska file with its track again and again, under other numbers."""

    def crowd(entry: bytes) -> bytes:
        assert entry[:2] == b"\xd7\x81"
        numbers = (struct.pack(">I", number) for number in range(1, tracks + 1))
        # TrackNumber and TrackUID, both in four bytes.
        return b"".join(_track(b"\xd7\x84" + number + b"\x73\xc5\x84" + number + entry[3:]) for number in numbers)

    return _with_tracks(data, crowd)


def matroska_with_subtitles(data: bytes) -> bytes:
    """A Matroska file with a second track, of text that never comes."""
    text = b"\xd7\x81\x02\x73\xc5\x81\x02\x83\x81\x11\x86\x8bS_TEXT/UTF8"
    return _with_tracks(data, lambda entry: _track(entry) + _track(text))


def _with_tracks(data: bytes, make: Callable[[bytes], bytes]) -> bytes:
    # The index in front of everything names it as well.
    start = data.rindex(b"\x16\x54\xae\x6b")
    size, width = _vint(data, start + 4)
    inner = data[start + 4 + width : start + 4 + width + size]
    # After a checksum; its length comes in eight bytes.
    first = inner.index(b"\xae\x01")
    length, own = _vint(inner, first + 1)
    tracks = make(inner[first + 1 + own : first + 1 + own + length])
    segment = data.index(b"\x18\x53\x80\x67") + 4
    unknown = b"\x01" + b"\xff" * 7
    whole = b"\x16\x54\xae\x6b" + _as_vint(len(tracks)) + tracks
    return data[:segment] + unknown + data[segment + 8 : start] + whole + data[start + 4 + width + size :]


def _track(entry: bytes) -> bytes:
    return b"\xae" + _as_vint(len(entry)) + entry


def _vint(data: bytes, at: int) -> tuple[int, int]:
    width = 9 - data[at].bit_length()
    return int.from_bytes(data[at : at + width], "big") & ((1 << (7 * width)) - 1), width


def _as_vint(value: int) -> bytes:
    return ((1 << 56) | value).to_bytes(8, "big")


def crowded_mpegts(programs: int, streams: int) -> bytes:
    """An MPEG transport stream of many programs with many audio streams each, and not a sound in it."""
    packets = b""
    listed = [(number + 1, 0x100 + number) for number in range(programs)]
    sections = [listed[at : at + 40] for at in range(0, programs, 40)]
    for number, section in enumerate(sections):
        body = b"".join(struct.pack(">HH", program, 0xE000 | pid) for program, pid in section)
        packets += _ts_packet(0, _psi(0x00, 1, body, number, len(sections) - 1))
    for program, pid in listed:
        base = 0x100 + programs
        body = struct.pack(">HH", 0xFFFF, 0xF000)
        body += b"".join(
            struct.pack(">BHH", 0x0F, 0xE000 | (base + (program * streams + index) % (0x1FFE - base)), 0xF000)
            for index in range(streams)
        )
        packets += _ts_packet(pid, _psi(0x02, program, body, 0, 0))
    return packets * 2


def _psi(table: int, identifier: int, body: bytes, number: int, last: int) -> bytes:
    section = struct.pack(">BHHBBB", table, 0xB000 | (len(body) + 9), identifier, 0xC1, number, last) + body
    return section + struct.pack(">I", _crc(section, 0x04C11DB7, 32, 0xFFFF_FFFF))


def _ts_packet(pid: int, section: bytes) -> bytes:
    packet = struct.pack(">BHB", 0x47, 0x4000 | pid, 0x10) + b"\0" + section
    assert len(packet) <= 188
    return packet.ljust(188, b"\xff")


def amr(seconds: float) -> bytes:
    """Noise in AMR narrow band, 12.2 kbit/s: FFmpeg reads it and, here, does not write it."""
    source = random.Random(0)
    return b"#!AMR\n" + b"".join(b"\x3c" + source.randbytes(31) for _ in range(round(seconds * 50)))


def polyglots(sound: bytes) -> dict[str, bytes]:
    """Recordings that are something else as well, by the name that would bring that out."""
    script = b"<!doctype html><html><body><script>document.title='owned'</script></body></html>"
    riff = bytearray(sound)
    # A chunk that players skip, between the header of the file and its format.
    chunk = b"note" + struct.pack("<I", len(script)) + script + b"\0" * (len(script) % 2)
    riff[12:12] = chunk
    riff[4:8] = struct.pack("<I", len(riff) - 8)
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("index.html", script)
    return {
        "page.html": bytes(riff),
        "page.svg": bytes(riff),
        "bundle.js": sound + b"\n*/alert(1)//",
        "archive.zip": sound + zipped.getvalue(),
        "tool.sh": sound + b"\n#!/bin/sh\nid\n",
    }


Mutation = Callable[[bytearray, bytes, random.Random], None]


def _flip_bits(data: bytearray, other: bytes, source: random.Random) -> None:
    for _ in range(source.choice((1, 4, 32, 256))):
        data[source.randrange(len(data))] ^= 1 << source.randrange(8)


def _overwrite(data: bytearray, other: bytes, source: random.Random) -> None:
    at = source.randrange(len(data))
    length = source.choice((1, 2, 4, 16, 512))
    data[at : at + length] = source.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * length


def _truncate(data: bytearray, other: bytes, source: random.Random) -> None:
    del data[source.randrange(1, len(data)) :]


def _repeat(data: bytearray, other: bytes, source: random.Random) -> None:
    at = source.randrange(len(data))
    part = bytes(data[at : at + source.randrange(1, 4096)])
    data[at:at] = part * source.choice((1, 2, 50))


def _cut_out(data: bytearray, other: bytes, source: random.Random) -> None:
    at = source.randrange(len(data))
    del data[at : at + source.randrange(1, 4096)]
    data += b"\0" * (not data)


def _splice(data: bytearray, other: bytes, source: random.Random) -> None:
    at, start = source.randrange(len(data)), source.randrange(len(other))
    data[at : at + source.randrange(4096)] = other[start : start + source.randrange(1, 4096)]


def _swap(data: bytearray, other: bytes, source: random.Random) -> None:
    size = source.randrange(1, 1024)
    one, two = source.randrange(len(data)), source.randrange(len(data))
    first, second = bytes(data[one : one + size]), bytes(data[two : two + size])
    data[one : one + len(second)] = second
    data[two : two + len(first)] = first


def _extreme_field(data: bytearray, other: bytes, source: random.Random) -> None:
    """A number of the header, and there are most of those in the first and the last kilobyte."""
    size = source.choice((2, 4, 8))
    value = source.choice((0, 1, (1 << 8 * size) - 1, 1 << (8 * size - 1), (1 << (8 * size - 1)) - 1, 0x10000))
    near = source.randrange(min(len(data), 1024))
    at = source.choice((near, max(0, len(data) - 1 - near)))
    value &= (1 << 8 * size) - 1
    data[at : at + size] = value.to_bytes(size, source.choice(("big", "little")))


MUTATIONS: tuple[Mutation, ...] = (
    _flip_bits,
    _overwrite,
    _truncate,
    _repeat,
    _cut_out,
    _splice,
    _swap,
    _extreme_field,
    _extreme_field,
)


def mutated(data: bytes, other: bytes, seed: str) -> bytes:
    """A damaged copy; the same for the same seed."""
    source = random.Random(zlib.crc32(seed.encode()))
    damaged = bytearray(data)
    for _ in range(source.choice((1, 1, 2, 4))):
        source.choice(MUTATIONS)(damaged, other, source)
    return bytes(damaged)
