import errno
import io

import numpy as np
import pytest

from octavia.errors import InputError
from octavia.media.encode import Encoder, read_audio
from octavia.media.formats import FORMATS
from octavia.media.probe import probe
from tests.support.media import span_of_sound, tone


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000])
@pytest.mark.parametrize("format", [format for format in FORMATS if format != "pcm"])
def test_every_format_keeps_the_sound(format, rate, tmp_path):
    # Given three seconds of a tone between silences, written in uneven pieces
    path = tmp_path / f"dub.{format}"
    silence = np.zeros(rate, dtype=np.float32)
    samples = np.concatenate([silence, tone(3, rate), silence])
    with Encoder(path, format, rate) as encoder:
        for piece in np.split(samples, [1, 700, rate, rate + 333]):
            encoder.write(piece)
    # Then the file holds five seconds of mono with the tone in its place
    read, read_rate = read_audio(path)
    assert len(read) / read_rate == pytest.approx(5, abs=0.13)
    start, end = span_of_sound(read, read_rate)
    assert (start, end) == (pytest.approx(1, abs=0.07), pytest.approx(4, abs=0.07))
    assert probe(path).channels == 1
    assert [child.name for child in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("format", ["wav", "flac"])
def test_lossless_formats_are_lossless_to_sixteen_bits(format):
    target = io.BytesIO()
    samples = tone(1, 22_050)
    with Encoder(target, format, 22_050) as encoder:
        encoder.write(samples)
    read, rate = read_audio(io.BytesIO(target.getvalue()))
    assert rate == 22_050
    assert len(read) == len(samples)
    assert np.abs(read - samples).max() <= 1 / 32_768


def test_pcm_is_nothing_but_samples():
    target = io.BytesIO()
    samples = tone(1, 24_000)
    with Encoder(target, "pcm", 24_000) as encoder:
        encoder.write(samples)
    written = np.frombuffer(target.getvalue(), "<i2")
    assert len(written) == len(samples)
    assert np.abs(written / 32_768 - samples).max() <= 1 / 32_768


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_object_is_left_open(format):
    target = io.BytesIO()
    with Encoder(target, format, 24_000) as encoder:
        encoder.write(tone(1, 24_000))
    assert not target.closed
    assert len(target.getvalue()) > 1_000
    assert FORMATS[format].media_type.startswith("audio/")


def test_too_loud_is_cut_and_does_not_wrap():
    target = io.BytesIO()
    with Encoder(target, "wav", 16_000) as encoder:
        encoder.write(np.array([1.5, -1.5, 0.0], dtype=np.float32))
    read, _ = read_audio(io.BytesIO(target.getvalue()))
    assert read == pytest.approx([1, -1, 0], abs=1e-4)


@pytest.mark.parametrize("format", FORMATS)
def test_an_exception_leaves_nothing(format, tmp_path):
    # Given a file from before under that name
    path = tmp_path / "dub"
    path.write_bytes(b"before")

    # When the work breaks in the middle
    def work() -> None:
        with Encoder(path, format, 16_000) as encoder:
            encoder.write(tone(2))
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        work()
    # Then there is what there was, and nothing beside it
    assert [child.name for child in tmp_path.iterdir()] == ["dub"]
    assert path.read_bytes() == b"before"


class FullDisk(io.BytesIO):
    """Takes 10,000 bytes."""

    def write(self, data) -> int:
        if self.tell() + len(data) > 10_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("format", ["wav", "flac", "mp3"])
def test_a_full_disk_is_reported_as_such(format):
    def work() -> None:
        with Encoder(FullDisk(), format, 16_000) as encoder:
            for _ in range(60):
                encoder.write(tone(1))

    with pytest.raises(OSError, match="No space left") as caught:
        work()
    assert caught.value.errno == errno.ENOSPC


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_written_is_still_closed(format, tmp_path):
    path = tmp_path / "empty"
    with Encoder(path, format, 16_000):
        pass
    assert path.exists()


def test_closing_twice_is_harmless(tmp_path):
    encoder = Encoder(tmp_path / "x.wav", "wav", 16_000)
    encoder.write(tone(1))
    encoder.close()
    encoder.close()
    assert probe(tmp_path / "x.wav").duration == 1.0


def test_reading_what_is_no_audio():
    with pytest.raises(InputError):
        read_audio(io.BytesIO(b"nothing of the kind"))
