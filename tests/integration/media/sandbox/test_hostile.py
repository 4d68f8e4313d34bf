"""Files made to hurt: each costs little time and memory, and ends in sound or in a clear error."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from octavia.errors import InputError
from octavia.media.sandbox.parent import Sandbox
from tests.support.hostile import crowded_matroska, crowded_mpegts, flac, mp4_with_endless_index, polyglots
from tests.support.media import box, recording, tone, wav, wav_header

MIB = 1024 * 1024
HOUR = 3600


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    sandbox.close()


class Reader:
    """Reads files in the sandbox, and sees what that costs."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self._sandbox = sandbox
        self._path = folder / "media"

    def read(self, data: bytes, *, longest: float) -> tuple[float, str]:
        """Seconds of sound, and the code of the error that ended it."""
        self._path.write_bytes(data)
        process, began, samples, code = psutil.Process(self._sandbox.start().pid), time.monotonic(), 0, ""
        before = psutil.Process().memory_info().rss
        try:
            self._sandbox.probe(self._path)
            for block in self._sandbox.decode(self._path, longest=longest):
                samples += len(block)
        except InputError as error:
            assert error.hint  # noqa: PT017 - being read is fine, too
            assert error.field == "file"  # noqa: PT017
            code = error.code
        assert time.monotonic() - began < 10
        assert psutil.Process().memory_info().rss - before < 64 * MIB
        if process.is_running():
            # One that has ended had no more than the kernel let it have; its number may be another's by now.
            peak = Path(f"/proc/{process.pid}/status").read_text().partition("VmHWM:")[2].split()[0]
            assert int(peak) * 1024 < 400 * MIB
        return samples / 16_000, code


@pytest.fixture
def reader(sandbox: Sandbox, tmp_path: Path) -> Reader:
    return Reader(sandbox, tmp_path)


def test_hours_in_a_kilobyte_end_at_the_bound(reader: Reader) -> None:
    # Given FLAC that becomes more than an hour of silence, does not say so, and has hardly a kilobyte
    data = flac(70)
    assert len(data) < 1_100
    # When an hour is allowed at most
    seconds, code = reader.read(data, longest=HOUR)
    # Then it ends there
    assert code == "media_too_long"
    assert seconds == pytest.approx(HOUR, abs=70)
    # And what is allowed is read
    assert reader.read(flac(20), longest=HOUR) == (pytest.approx(20 * 65.535, abs=1), "")


def test_a_length_that_is_promised_is_believed_if_it_is_too_long(reader: Reader) -> None:
    assert reader.read(flac(5, total=10 * HOUR * 1_000), longest=HOUR) == (0, "media_too_long")


@pytest.mark.parametrize(
    ("format", "more"),
    [("matroska", {"audio": "flac"}), ("ogg", {"audio": "libopus", "rate": 48_000}), ("mp4", {"audio": "aac"})],
)
def test_hours_of_silence_between_two_packets_are_refused(reader: Reader, format: str, more: dict) -> None:
    # Given five hours between two packets of a few kilobytes, within what is allowed
    data = recording(format, seconds=4, gap=(2.0, 5 * HOUR), **more)
    assert len(data) < 200_000
    # When it is read, then none of that silence is made
    seconds, code = reader.read(data, longest=6 * HOUR)
    assert code == "media_too_complex"
    assert seconds < 5


def test_a_pause_is_no_attack(reader: Reader) -> None:
    data = recording("matroska", audio="flac", seconds=4, gap=(2.0, 20 * 60))
    assert reader.read(data, longest=HOUR) == (pytest.approx(20 * 60 + 4, abs=0.1), "")


def test_an_index_of_half_a_billion_samples(reader: Reader) -> None:
    # Given an MP4 of a few kilobytes whose index would take 12 GB
    data = mp4_with_endless_index(recording("mp4", seconds=1), 500_000_000)
    # When it is read, then there is no such memory, and that is the file's fault
    seconds, code = reader.read(data, longest=HOUR)
    assert seconds < 5
    assert code in {"media_too_complex", "not_media", "no_audio", "truncated_media", "media_too_long"}


@pytest.mark.parametrize("frame_rate", [1, 7])
def test_frames_that_claim_a_rate_that_no_recorder_has(reader: Reader, frame_rate: int) -> None:
    # Given an honest beginning, and then frames that would each be hours long
    seconds, code = reader.read(flac(30, rate=16_000, frame_rate=frame_rate), longest=HOUR)
    # When it is read, then what is honest is heard
    assert (seconds, code) == (pytest.approx(3 * 65_535 / 16_000, abs=0.1), "")


@pytest.mark.parametrize(
    ("rate", "channels"), [(1, 1), (999, 1), (768_001, 1), (4_000_000_000, 1), (16_000, 65), (16_000, 65_535)]
)
def test_absurd_rates_and_channels(reader: Reader, rate: int, channels: int) -> None:
    data = wav_header(1_000_000, rate, channels % 32_768) + bytes(1_000_000)
    seconds, code = reader.read(data, longest=HOUR)
    assert (seconds, code in {"not_media", "no_audio"}) == (0, True)


def _crowded_mp4() -> bytes:
    data = recording("mp4", seconds=1)
    start = data.index(b"moov") - 4
    moov = data[start + 8 : start + int.from_bytes(data[start : start + 4], "big")]
    at = moov.index(b"trak") - 4
    track = moov[at : at + int.from_bytes(moov[at : at + 4], "big")]
    return data[:start] + box(b"moov", moov + track * 10_000)


@pytest.mark.parametrize(
    "make",
    [
        _crowded_mp4,
        lambda: crowded_matroska(recording("matroska", audio="flac", seconds=1), 10_000),
        lambda: crowded_mpegts(250, 33),
        lambda: crowded_mpegts(310, 33),
    ],
    ids=["mp4", "matroska", "mpegts 8,250", "mpegts 10,230"],
)
def test_ten_thousand_streams(reader: Reader, make: Callable[[], bytes]) -> None:
    # When a file of ten thousand streams is read, then it is refused, or read as far as its first streams go
    seconds, code = reader.read(make(), longest=HOUR)
    assert code in {"", "not_media", "no_audio", "truncated_media", "media_too_complex"}
    assert seconds <= 2


def test_a_recording_that_is_something_else_too_is_a_recording(reader: Reader) -> None:
    for data in polyglots(wav(tone(2))).values():
        assert reader.read(data, longest=HOUR) == (2, "")
