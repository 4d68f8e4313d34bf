import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
import psutil
import pytest
from av.stream import Disposition

from octavia.errors import InputError
from octavia.media.decode import decode
from octavia.media.probe import probe
from tests.support.media import Sound, many_sounds, pitch, recording, span_of_sound, tone, wav, wav_channels, wav_header

VIDEO = {"video": "mpeg4"}


def decoded(data: bytes, **more) -> np.ndarray:
    return np.concatenate(list(decode(io.BytesIO(data), **more)))


def failure(data: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        decoded(data)
    assert caught.value.field == "file"
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("format", "more"),
    [
        ("mp4", {"audio": "aac", **VIDEO}),
        ("ipod", {"audio": "aac", "rate": 44_100}),
        ("mov", {"audio": "pcm_s16le", **VIDEO}),
        ("matroska", {"audio": "flac", **VIDEO}),
        ("webm", {"audio": "libopus", "rate": 48_000, "video": "libvpx"}),
        ("ogg", {"audio": "libopus", "rate": 48_000}),
        ("ogg", {"audio": "flac"}),
        ("mp3", {"audio": "libmp3lame", "rate": 44_100}),
        ("wav", {"audio": "pcm_s16le", "rate": 8_000}),
        ("wav", {"audio": "pcm_f32le", "rate": 96_000, "layout": "stereo"}),
        ("wav", {"audio": "pcm_s24le", "rate": 48_000, "layout": "5.1"}),
        ("mp3", {"audio": "libmp3lame", "rate": 44_100, "layout": "stereo"}),
        ("matroska", {"audio": "aac", "rate": 48_000, "layout": "5.1", **VIDEO}),
        ("flac", {"audio": "flac", "rate": 22_050}),
        ("adts", {"audio": "aac"}),
        ("mpegts", {"audio": "aac", **VIDEO}),
        ("avi", {"audio": "libmp3lame", **VIDEO}),
        ("aiff", {"audio": "pcm_s16be"}),
        ("caf", {"audio": "pcm_s16le"}),
        ("asf", {"audio": "aac", **VIDEO}),
        ("flv", {"audio": "aac", "rate": 44_100}),
    ],
)
def test_any_container_gives_mono_at_the_wanted_rate(format, more):
    # Given six seconds of a tone
    data = recording(format, **more)
    # When decoded at 16 kHz
    blocks = list(decode(io.BytesIO(data)))
    # Then blocks are at most a second of mono float32, and the tone is where it was
    assert all(block.ndim == 1 and block.dtype == np.float32 and 0 < len(block) <= 16_000 for block in blocks)
    samples = np.concatenate(blocks)
    start, end = span_of_sound(samples)
    assert start == pytest.approx(0, abs=0.1)
    assert end == pytest.approx(6, abs=0.1)
    middle = samples[32_000:48_000]
    assert np.argmax(np.abs(np.fft.rfft(middle))) == 440
    assert np.abs(middle).max() == pytest.approx(0.3, rel=0.35)


def test_another_rate_and_a_path(tmp_path):
    path = tmp_path / "tone.wav"
    path.write_bytes(wav(tone(2)))
    assert sum(map(len, decode(path, rate=24_000))) == pytest.approx(48_000, abs=40)


def test_an_early_end_closes_the_file(tmp_path):
    # Given a reader that stops after one block; then nothing stays open (unclosed files are errors in these tests)
    path = tmp_path / "tone.wav"
    path.write_bytes(wav(tone(5)))
    blocks = decode(path)
    next(blocks)
    blocks.close()
    assert path.as_posix() not in [opened.path for opened in psutil.Process().open_files()]


@pytest.mark.parametrize("format", ["mp4", "matroska", "mpegts", "mov"])
def test_sound_that_starts_late_is_in_time_with_the_video(format):
    # Given sound that starts two seconds into the video
    data = recording(format, audio="aac", late=2.0, **VIDEO)
    # Then silence comes first
    start, end = span_of_sound(decoded(data))
    assert start == pytest.approx(2, abs=0.05)
    assert end == pytest.approx(8, abs=0.05)
    assert probe(io.BytesIO(data)).audio_start == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("format", ["mp4", "matroska"])
def test_a_gap_in_the_timestamps_is_silence(format):
    # Given three seconds missing after the second second
    data = recording(format, audio="aac", gap=(2.0, 3.0), **VIDEO)
    samples = decoded(data)
    # Then what follows is in time, and between it is still
    assert span_of_sound(samples)[1] == pytest.approx(9, abs=0.05)
    assert np.abs(samples[40_000:76_000]).max() < 0.01


def test_a_leap_of_timestamps_beyond_any_end_is_not_believed():
    # Given packets that claim to lie days ahead, in a container that does not say how long it is
    data = recording("matroska", audio="flac", gap=(2.0, 500_000.0), options={"live": "1"})
    assert len(decoded(data)) == pytest.approx(6 * 16_000, abs=1_600)


def test_a_change_of_format_in_the_middle_is_followed():
    # Given two AAC streams one after the other, of different rates and channels
    data = recording("adts", seconds=3) + recording("adts", rate=32_000, layout="stereo", seconds=3)
    assert len(decoded(data)) == pytest.approx(6 * 16_000, abs=3_200)


def test_a_damaged_spot_leaves_the_rest_in_time():
    # Given a recording with some bytes in the middle overwritten
    data = bytearray(recording("matroska", audio="aac", late=0.0, **VIDEO))
    middle = len(data) // 2
    data[middle : middle + 300] = bytes(300)
    # Then the tone still ends where it did
    assert span_of_sound(decoded(bytes(data)))[1] == pytest.approx(6, abs=0.2)


def test_memory_does_not_grow_with_the_length(tmp_path):
    # Given ninety minutes of sound in a file of 170 MB
    path = tmp_path / "long.wav"
    second = (tone(1) * 32_767).astype("<i2").tobytes()
    with path.open("wb") as file:
        file.write(wav_header(5_400 * len(second)))
        for _ in range(5_400):
            file.write(second)
    process = psutil.Process()
    blocks = decode(path)
    next(blocks)
    before = most = process.memory_info().rss
    # When it is streamed
    for count, _ in enumerate(blocks):
        if count % 500 == 0:
            most = max(most, process.memory_info().rss)
    # Then hardly anything is kept
    assert count > 5_000
    assert most - before < 20_000_000


def test_an_empty_file():
    assert failure(b"").code == "empty_file"


@pytest.mark.parametrize(
    "data",
    [b"just some text\n" * 100, bytes(range(256)) * 40, b"\0" * 5_000, b"%PDF-1.7\n" + b"x" * 900, b"ID3", b"RIFF"],
    ids=["text", "bytes", "zeros", "pdf", "id3 only", "riff only"],
)
def test_other_files_are_not_media(data):
    assert failure(data).code == "not_media"


def test_a_video_without_sound():
    assert failure(recording("mp4", audio=None, **VIDEO)).code == "no_audio"


def test_a_picture_is_no_recording():
    target = io.BytesIO()
    with av.open(target, "w", format="image2pipe") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb24"
        frame = av.VideoFrame(64, 48, "rgb24")
        frame.pts, frame.time_base = 0, Fraction(1, 1)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert failure(target.getvalue()).code in {"not_media", "no_audio"}


CUTTABLE = [
    ("wav", {"audio": "pcm_s16le"}),
    ("flac", {"audio": "flac"}),
    ("mp3", {"audio": "libmp3lame"}),
    ("ogg", {"audio": "libopus", "rate": 48_000}),
    ("mp4", VIDEO),
    ("mp4", {"options": {"movflags": "frag_keyframe+empty_moov"}, **VIDEO}),
    ("matroska", VIDEO),
    ("webm", {"audio": "libopus", "rate": 48_000, "video": "libvpx"}),
    ("avi", {"audio": "libmp3lame", **VIDEO}),
]


@pytest.mark.parametrize(("format", "more"), CUTTABLE)
@pytest.mark.parametrize("share", [0.3, 0.8])
def test_a_file_that_was_cut_off(format, more, share):
    # Given an upload that broke
    data = recording(format, seconds=12, **more)
    assert failure(data[: int(len(data) * share)]).code == "truncated_media"


@pytest.mark.parametrize(("format", "more"), CUTTABLE)
def test_a_whole_file_is_not_taken_for_a_cut_one(format, more):
    assert len(decoded(recording(format, seconds=12, **more))) == pytest.approx(12 * 16_000, abs=2_000)


def test_a_cut_mp4_with_its_index_in_front(tmp_path):
    path = tmp_path / "front.mp4"
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(12)[None], "fltp", "mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    # When half of the sound is missing
    error = failure(data[: len(data) // 2])
    # Then it says how much there is of how much
    assert error.code == "truncated_media"
    assert "of 12." in error.message


def test_sound_that_ends_before_the_video_is_whole():
    for format in ("mp4", "matroska"):
        data = recording(format, seconds=4, video_seconds=20, **VIDEO)
        assert span_of_sound(decoded(data))[1] == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize("size", [0, 0xFFFF_FFFF, 0x7FFF_FFFF], ids=hex)
def test_a_wav_of_a_recorder_that_did_not_know_the_length(size):
    data = wav_header(size) + (tone(3) * 32_767).astype("<i2").tobytes()
    assert len(decoded(data)) == 48_000


def test_a_live_recording_without_a_length():
    data = recording("matroska", audio="aac", options={"live": "1"}, **VIDEO)
    assert probe(io.BytesIO(data)).duration is None
    assert len(decoded(data)) == pytest.approx(96_000, abs=2_000)


def test_a_missing_last_moment_is_forgiven():
    # Given less than a second missing
    data = wav(tone(30))
    assert len(decoded(data[:-20_000])) == 30 * 16_000 - 10_000


@pytest.mark.parametrize(("rate", "channels"), [(1, 1), (4_000_000_000, 1), (16_000, 20_000)])
def test_absurd_shapes_are_refused_before_decoding(rate, channels):
    data = wav_header(1_000_000, rate, channels) + bytes(1_000_000)
    assert failure(data).code in {"not_media", "no_audio"}


def test_a_track_without_a_single_frame():
    assert failure(wav_header(0)).code in {"no_audio", "not_media"}


def joinable(seconds: float, clock: float, **options: Any) -> bytes:
    """A transport stream whose times begin at a clock's, with pictures if a codec is given."""
    return recording("mpegts", seconds=seconds, options={"output_ts_offset": str(clock)}, **options)


@pytest.mark.parametrize(
    "clocks", [(5000, 10), (10, 5000), (0, 0), (3, 1), (80_000, 10, 5000), (10, 5000, 10), (95_441, 300)], ids=str
)
@pytest.mark.parametrize("video", [None, "mpeg2video"])
def test_joined_recordings_follow_each_other(clocks: tuple[float, ...], video: str | None) -> None:
    # Given transport streams of four seconds, joined as `cat` does; the clock wraps at 95,443 s
    parts = [joinable(4, clock, video=video) for clock in clocks]
    alone = len(decoded(parts[0])) / 16_000
    # Then the whole lasts as long as all of them
    assert len(decoded(b"".join(parts))) / 16_000 == pytest.approx(len(parts) * alone, abs=0.1)


@pytest.mark.parametrize("video", [None, "mpeg2video"])
def test_a_pause_inside_a_joined_recording_stays(video: str | None) -> None:
    # Given a recording with a pause of three seconds, and another one after it
    pausing = joinable(4, 5000, gap=(2.0, 3.0), video=video, video_seconds=7.0)
    whole = pausing + joinable(4, 10, video=video)
    # Then the pause is there
    assert len(decoded(pausing)) / 16_000 == pytest.approx(7.0, abs=0.1)
    assert len(decoded(whole)) / 16_000 == pytest.approx(11.0, abs=0.2)


def test_a_long_pause_in_the_sound_of_a_film_stays() -> None:
    # Given a film whose sound is away for longer than a step of the clock may be, while the pictures go on
    data = joinable(4, 0, gap=(2.0, 15.0), video="mpeg2video", video_seconds=19.0)
    # Then it is no joint
    assert len(decoded(data)) / 16_000 == pytest.approx(19.0, abs=0.1)


MAIN, COMMENTARY = Sound(440, title="Main"), Sound(880, title="Director's commentary", codec="ac3", layout="stereo")
FLAGGED = Disposition.default


@pytest.mark.parametrize(
    ("sounds", "heard"),
    [
        ((Sound(440, "spa", disposition=FLAGGED), Sound(880, "eng", layout="stereo", bit_rate=128_000)), 440),
        ((Sound(440, "spa"), Sound(880, "eng", disposition=FLAGGED)), 880),
        ((MAIN, COMMENTARY), 440),
        ((COMMENTARY, MAIN), 440),
        ((Sound(880, disposition=Disposition.visual_impaired), Sound(440)), 440),
        ((Sound(880, title="English audio description"), Sound(440, title="English")), 440),
    ],
)
def test_of_several_sounds_the_one_that_people_hear_is_decoded(sounds: tuple[Sound, ...], heard: float) -> None:
    data = many_sounds("matroska", sounds)
    assert pitch(decoded(data)) == pytest.approx(heard, abs=2)
    # And any of them can be chosen
    for number, sound in enumerate(sounds, 1):
        assert pitch(decoded(data, track=number)) == pytest.approx(sound.pitch, abs=2)


def test_a_sound_that_is_not_there_is_an_error() -> None:
    data = many_sounds("matroska", (MAIN, COMMENTARY))
    with pytest.raises(InputError, match="no sound track 3") as caught:
        list(decode(io.BytesIO(data), track=3))
    assert caught.value.hint.startswith("The file has 1 (")


@pytest.mark.parametrize("rate", [16_000, 24_000])
def test_inverted_channels_are_heard(rate: int) -> None:
    # Given a recording whose right channel is the left one inverted, at another rate than is wanted
    left = tone(3, 48_000)
    data = wav_channels(left, -left, rate=48_000)
    # Then it is as loud as one of them
    heard = decoded(data, rate=rate)
    assert len(heard) == pytest.approx(3 * rate, abs=2)
    assert np.sqrt(np.mean(heard**2)) == pytest.approx(np.sqrt(np.mean(left**2)), rel=0.02)


def test_the_third_microphone_is_no_subwoofer() -> None:
    # Given a recording of three microphones, without a layout, of which the third one speaks
    quiet = np.zeros(32_000, dtype=np.float32)
    data = wav_channels(quiet, quiet, tone(2))
    heard = decoded(data)
    assert np.sqrt(np.mean(heard**2)) == pytest.approx(np.sqrt(np.mean(tone(2) ** 2)), rel=0.02)
