"""Films with another voice: the picture as it was, the voice in time with it, subtitles, all made in the sandbox."""

import errno
import io
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from octavia.errors import InputError
from octavia.media.containers import VIDEO_FORMATS, video_format
from octavia.media.encode import Encoder
from octavia.media.mux import Captions, Recipe
from octavia.media.sandbox.parent import Sandbox
from tests.support.film import SUFFIXES, clicking, film, first_time, heard_clicks, packets_of, shown_times
from tests.support.media import recording

RATE = 24_000
CLICKS = (2.0, 5.0, 9.52)
SRT = "1\n00:00:01,000 --> 00:00:02,500\nHola & adiós\nsegunda línea\n\n2\n00:00:03,000 --> 00:00:04,000\nFin\n\n"
VTT = "WEBVTT\n\n00:01.000 --> 00:02.500\nHola &amp; adiós\nsegunda línea\n\n00:03.000 --> 00:04.000\nFin\n\n"
CODECS = {"webm": {"video": "libvpx", "audio": "libopus"}, "avi": {"video": "mpeg4", "audio": "mp3"}}


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    box = Sandbox()
    yield box
    box.close()


def dubbed(
    box: Sandbox, folder: Path, data: bytes, name: str, *, replace: bool = False, clicks: tuple[float, ...] = CLICKS
) -> tuple[str, bytes]:
    """The film with a voice that clicks, and what it is."""
    source = folder / name
    source.write_bytes(data)
    found = box.probe(source)
    format, _ = video_format(found.container, name, found.film_formats)
    chosen = VIDEO_FORMATS[format]
    voice = folder / f"voice.{chosen.voice}"
    # What a damaged film says of its length is not believed.
    seconds = min(max(found.duration or 0.0, 1.0), 130.0)
    with Encoder(voice, chosen.voice, RATE) as encoder:
        encoder.write(clicking(seconds, clicks, RATE))
    text = VTT if chosen.text == "vtt" else SRT
    recipe = Recipe(format, "spa", "eng", replace, (Captions("spa", text), Captions("eng", text)))
    target = folder / f"made.{format}"
    sizes: list[int] = []
    with target.open("w+b") as file:
        box.mux(source, voice, recipe, file, seconds=seconds, on_written=sizes.append)
    assert sizes == sorted(sizes)
    assert sizes[-1] == target.stat().st_size
    return format, target.read_bytes()


@pytest.mark.parametrize(
    ("format", "late"), [("mp4", 0.0), ("mp4", 1.48), ("mov", 1.48), ("matroska", 1.48), ("webm", 0.0)]
)
def test_the_picture_is_untouched_and_the_voice_is_in_time_with_it(
    box: Sandbox, tmp_path: Path, format: str, late: float
) -> None:
    # Given a film whose pictures tell the time, with sound that may begin late
    data = film(format, clicks=CLICKS, late=late, **CODECS.get(format, {}))
    # When it gets another voice
    made, result = dubbed(box, tmp_path, data, f"talk.{SUFFIXES[format]}")

    # Then it is the same container, and every packet of the picture is the same
    assert made == SUFFIXES[format]
    assert packets_of(result, 0) == packets_of(data, 0)

    # And the clicks of the voice, and those of the film's own sound, come with the pictures that they belong to
    shown = shown_times(result)
    assert len(shown) == 300
    assert max(abs(time - burnt) for time, burnt in shown) < 0.001
    for track, most in ((0, 0.002), (1, 0.005)):
        assert heard_clicks(result, track) == pytest.approx(CLICKS, abs=most)

    # And the tracks say what they are, in the order in which players offer them, without a word of complaint
    with av.logging.Capture() as complaints, av.open(io.BytesIO(result)) as container:
        tracks = [(stream.type, stream.language) for stream in container.streams]
        first, second = container.streams.audio
        assert [bool(stream.disposition & av.stream.Disposition.default) for stream in (first, second)] == [True, False]
        texts = [bytes(packet) for packet in container.demux(container.streams.subtitles[0]) if packet.size > 2]
    assert tracks[1:] == [("audio", "spa"), ("audio", "eng"), ("subtitle", "spa"), ("subtitle", "eng")]
    assert tracks[0][0] == "video"
    assert len(texts) == 2
    assert "segunda línea".encode() in texts[0]
    assert complaints == []
    if made in ("mp4", "mov"):
        assert result.index(b"moov") < result.index(b"mdat")


def test_a_film_with_bare_samples_does_not_grow(box: Sandbox, tmp_path: Path) -> None:
    # Given a film whose sound is not compressed, as cameras leave it
    data = film("mov", audio="pcm_f32le", clicks=CLICKS)
    # When it gets another voice
    _, result = dubbed(box, tmp_path, data, "talk.mov")
    # Then there is room for that, and not for an index of every sample
    assert len(data) < len(result) < len(data) + 500_000
    assert heard_clicks(result, 1) == heard_clicks(data, 0)


def test_the_sound_of_the_film_can_be_replaced(box: Sandbox, tmp_path: Path) -> None:
    _, result = dubbed(box, tmp_path, film("mp4", seconds=4, clicks=(1.0,)), "talk.mp4", replace=True, clicks=(3.0,))
    with av.open(io.BytesIO(result)) as container:
        assert [stream.language for stream in container.streams.audio] == ["spa"]
    assert heard_clicks(result, 0) == pytest.approx([3.0], abs=0.002)


def test_only_what_is_shown_counts(box: Sandbox, tmp_path: Path) -> None:
    # Given a film whose first second is cut off by its edit list, and is still in it
    data = film("mp4", seconds=6, clicks=(2.0, 4.0), hidden=1.0)
    assert heard_clicks(data, 0) == pytest.approx([1.0, 3.0], abs=0.03)
    # When it gets another voice, then that is in time with what is shown, as the film's own sound is
    _, result = dubbed(box, tmp_path, data, "talk.mp4", clicks=(1.0, 3.0))
    assert {round(burnt - time, 3) for time, burnt in shown_times(result) if time >= 0} == {1.0}
    assert heard_clicks(result, 0) == pytest.approx([1.0, 3.0], abs=0.002)
    assert heard_clicks(result, 1) == pytest.approx([1.0, 3.0], abs=0.03)


@pytest.mark.parametrize("format", ["avi", "mpegts"])
def test_other_containers_become_matroska(box: Sandbox, tmp_path: Path, format: str) -> None:
    # Given a film in a container that is not written
    data = film(format, seconds=6, **CODECS.get(format, {}))
    with av.open(io.BytesIO(data)) as container:
        pictures = sum(1 for _ in container.decode(video=0))
    # When it gets another voice, then it is in Matroska, with all its pictures in their order
    made, result = dubbed(box, tmp_path, data, f"talk.{SUFFIXES[format]}", clicks=(1.0, 3.0))
    assert made == "mkv"
    shown = shown_times(result)
    assert len(shown) == pictures
    assert np.allclose(np.diff(shown, axis=0)[1:], 0.04, atol=0.002)
    assert heard_clicks(result, 0) == pytest.approx([1.0, 3.0], abs=0.002)


def test_a_turned_picture_stays_turned(box: Sandbox, tmp_path: Path) -> None:
    # Given a film from a telephone that was held upright
    data = film("mp4", seconds=2)
    upright = b"".join(number.to_bytes(4, "big") for number in (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30))
    turned = b"".join(
        (number & 0xFFFF_FFFF).to_bytes(4, "big") for number in (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    )
    picture = data.index(b"tkhd")
    data = data[:picture] + data[picture:].replace(upright, turned, 1)
    _, result = dubbed(box, tmp_path, data, "talk.mp4", clicks=())
    with av.open(io.BytesIO(data)) as before, av.open(io.BytesIO(result)) as after:
        rotations = [next(container.decode(video=0)).rotation for container in (before, after)]
    assert rotations[0] == rotations[1] != 0


def test_fragments_and_long_silences_are_no_trouble(box: Sandbox, tmp_path: Path) -> None:
    # Given a film in fragments, whose index does not say how much there is
    data = film("mp4", seconds=6, clicks=(2.0,), options={"movflags": "frag_keyframe+empty_moov"})
    _, result = dubbed(box, tmp_path, data, "talk.mp4", clicks=(2.0, 5.0))
    assert heard_clicks(result, 0) == pytest.approx([2.0, 5.0], abs=0.002)
    assert packets_of(result, 0) == packets_of(data, 0)


@pytest.mark.parametrize(
    ("name", "container", "format"),
    [
        ("a.mp4", "mov,mp4,m4a,3gp,3g2,mj2", ("mp4", True)),
        ("a.MOV", "mov,mp4,m4a,3gp,3g2,mj2", ("mov", True)),
        ("a", "mov,mp4,m4a,3gp,3g2,mj2", ("mp4", True)),
        ("a.mkv", "matroska,webm", ("mkv", True)),
        ("a.webm", "matroska,webm", ("webm", True)),
        ("a.mp4", "matroska,webm", ("mkv", True)),
        ("a.avi", "avi", ("mkv", False)),
    ],
)
def test_the_container_is_what_it_was(name: str, container: str, format: tuple[str, bool]) -> None:
    assert video_format(container, name, tuple(VIDEO_FORMATS)) == format


@pytest.mark.parametrize(
    ("name", "container", "holders", "format"),
    [
        ("a.3gp", "mov,mp4,m4a,3gp,3g2,mj2", ("mov", "mkv"), ("mkv", False)),
        ("a.mov", "mov,mp4,m4a,3gp,3g2,mj2", ("mov", "mkv"), ("mov", True)),
        ("a.webm", "matroska,webm", ("mp4", "mov", "mkv"), ("mkv", False)),
        ("a.mxf", "mxf", ("mov",), ("mov", False)),
        ("a.flv", "flv", (), ("mkv", False)),
        ("a.mp4", "mov,mp4,m4a,3gp,3g2,mj2", (), ("mp4", True)),
    ],
)
def test_a_picture_goes_where_it_can_be(
    name: str, container: str, holders: tuple[str, ...], format: tuple[str, bool]
) -> None:
    assert video_format(container, name, holders) == format


@pytest.mark.parametrize(
    ("name", "format", "video", "audio", "made"),
    [
        ("talk.wmv", "asf", "wmv2", "wmav2", "mkv"),
        ("talk.wmv", "asf", "wmv1", "wmav1", "mkv"),
        ("talk.avi", "avi", "msmpeg4v2", "adpcm_ms", "mkv"),
        ("talk.3gp", "3gp", "h263", "aac", "mkv"),
        ("talk.flv", "flv", "flv", "libmp3lame", "mkv"),
        ("talk.flv", "flv", "flashsv", "adpcm_swf", "mkv"),
        ("talk.avi", "avi", "dvvideo", "pcm_s16le", "mkv"),
        ("talk.avi", "avi", "cinepak", "pcm_u8", "mkv"),
        ("talk.mov", "mov", "cinepak", "pcm_s16be", "mov"),
        ("talk.avi", "avi", "huffyuv", "adpcm_ima_wav", "mkv"),
        ("talk.avi", "avi", "rawvideo", "pcm_s16le", "mkv"),
    ],
)
def test_old_pictures_are_kept(
    box: Sandbox, tmp_path: Path, name: str, format: str, video: str, audio: str, made: str
) -> None:
    # Given a film in a codec for which Matroska has no name of its own
    data = film(format, video=video, audio=audio, seconds=1, rate=44_100)
    # When it gets another voice
    format, result = dubbed(box, tmp_path, data, name, clicks=(0.52,))
    # Then every packet of its picture and of its sound is there, each at its time
    assert format == made
    with av.open(io.BytesIO(data)) as container:
        kinds = [stream.type for stream in container.streams]
    picture, sound = kinds.index("video"), kinds.index("audio")
    assert packets_of(result, 0) == packets_of(data, picture)
    assert packets_of(result, 2) == packets_of(data, sound)
    assert first_time(result, 2) - first_time(result, 0) == pytest.approx(
        first_time(data, sound) - first_time(data, picture), abs=0.002
    )
    times = [time for time, _ in shown_times(result)]
    assert np.diff(times) == pytest.approx([0.04] * 24, abs=0.002)
    # And so is the voice, and the subtitles
    assert heard_clicks(result, 0) == pytest.approx([0.52], abs=0.03)
    with av.open(io.BytesIO(result)) as container:
        tracks = [(stream.type, stream.language) for stream in container.streams]
        assert sum(packet.size > 2 for packet in container.demux(container.streams.subtitles[0])) == 2
    assert tracks[1:] == [("audio", "spa"), ("audio", "eng"), ("subtitle", "spa"), ("subtitle", "eng")]


def test_a_film_with_an_old_picture_can_be_dubbed_again(box: Sandbox, tmp_path: Path) -> None:
    # Given a film in Matroska whose picture that has by a code
    data = film("asf", video="wmv2", audio="wmav2", seconds=1, rate=44_100)
    _, once = dubbed(box, tmp_path, data, "talk.wmv", clicks=())
    # When it gets another voice again, then the picture is kept
    made, twice = dubbed(box, tmp_path, once, "talk.mkv", clicks=())
    assert made == "mkv"
    assert packets_of(twice, 0) == packets_of(data, 0)


def test_joined_films_go_on(box: Sandbox, tmp_path: Path) -> None:
    # Given three recordings of a receiver, each with a clock of its own, joined to one file
    clocks = ("5000", "10", "95440")
    parts = [
        film("mpegts", video="mpeg2video", seconds=2, clicks=(1.0,), options={"output_ts_offset": clock})
        for clock in clocks
    ]
    # When the film gets another voice
    _, result = dubbed(box, tmp_path, b"".join(parts), "talk.ts", clicks=(1.0, 3.0, 5.0))
    # Then every picture is shown in its turn, in time with both sounds
    shown = shown_times(result)
    assert len(shown) == 150
    assert max(abs(time - burnt - number // 50 * 2.0) for number, (time, burnt) in enumerate(shown)) < 0.1
    assert heard_clicks(result, 0) == pytest.approx([1.0, 3.0, 5.0], abs=0.003)
    assert heard_clicks(result, 1) == pytest.approx([1.0, 3.0, 5.0], abs=0.1)


def test_a_sound_that_no_container_can_have_is_left_out(box: Sandbox, tmp_path: Path) -> None:
    # Given a film with a picture and a sound that only QuickTime has, in a file that is called an MP4
    data = film("mov", audio="adpcm_ima_qt", seconds=1, rate=44_100)
    source, voice = tmp_path / "talk.mp4", tmp_path / "voice.opus"
    source.write_bytes(data)
    with Encoder(voice, "opus", RATE) as encoder:
        encoder.write(clicking(1.0, (), RATE))
    recipe = Recipe("mkv", "spa", "eng", replace=False, captions=())
    with (tmp_path / "made.mkv").open("w+b") as file:
        left_out = box.mux(source, voice, recipe, file, seconds=1.0, on_written=lambda _: None)
    assert left_out == ["adpcm_ima_qt"]


def test_a_picture_that_no_container_can_have_is_told_and_the_process_goes_on(box: Sandbox, tmp_path: Path) -> None:
    # Given a film in a codec that is in no list but that of Flash
    data = film("flv", video="flashsv2", audio="libmp3lame", seconds=1, rate=44_100)
    pid, deaths = box.start().pid, box.deaths
    with pytest.raises(InputError, match="no container that Octavia writes can hold flashsv2") as caught:
        dubbed(box, tmp_path, data, "talk.flv", clicks=())
    assert (caught.value.code, caught.value.field) == ("video_unusable", "file")
    assert (box.start().pid, box.deaths) == (pid, deaths)
    # Then the next file is read as ever
    path = tmp_path / "next.wav"
    path.write_bytes(recording("wav", audio="pcm_s16le"))
    assert box.probe(path).duration == pytest.approx(6.0)


@pytest.mark.long
@pytest.mark.parametrize("format", ["mp4", "matroska"])
def test_two_minutes_stay_in_time(box: Sandbox, tmp_path: Path, format: str) -> None:
    # Given two minutes with a click every ten seconds, and sound that begins late
    clicks = tuple(float(at) for at in range(5, 120, 10))
    data = film(format, seconds=120, clicks=clicks, late=2.0)
    # When the film gets another voice, then the picture is the same to the byte and all is in time to its end
    _, result = dubbed(box, tmp_path, data, f"talk.{SUFFIXES[format]}", clicks=clicks)
    assert packets_of(result, 0) == packets_of(data, 0)
    assert max(abs(time - burnt) for time, burnt in shown_times(result)) < 0.001
    for track in (0, 1):
        assert heard_clicks(result, track) == pytest.approx(clicks, abs=0.005)


@pytest.mark.parametrize("format", ["mp4", "matroska", "webm"])
def test_damaged_films_are_copied_or_refused_and_nothing_dies(box: Sandbox, tmp_path: Path, format: str) -> None:
    # Given a film with some bytes turned, often in its headers
    whole = film(format, seconds=2, **CODECS.get(format, {}))
    generator = np.random.default_rng(len(format))
    deaths, made, told = box.deaths, 0, set[str]()
    for number in range(15):
        data = bytearray(whole)
        reach = len(data) if number % 2 else min(3_000, len(data))
        for at in generator.integers(0, reach, 8):
            data[at] = generator.integers(256)
        # When it gets another voice, then it is a film, or what is wrong with it is told
        try:
            made += len(dubbed(box, tmp_path, bytes(data), f"talk.{SUFFIXES[format]}", clicks=())[1]) > 0
        except InputError as error:
            told.add(error.code)
    assert told <= {"video_unusable", "not_media", "no_audio", "truncated_media", "media_too_complex"}
    # And no process has died of one
    assert made > 3
    assert box.deaths == deaths


class Full(io.BytesIO):
    """A disk without room."""

    def write(self, data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_the_error_of_the_disk_and_the_next_film_is_made(box: Sandbox, tmp_path: Path) -> None:
    # Given a film, and nowhere to write it to
    data = film("mp4", seconds=4, clicks=(1.0,))
    source, voice = tmp_path / "source.mp4", tmp_path / "voice.m4a"
    source.write_bytes(data)
    with Encoder(voice, "m4a", RATE) as encoder:
        encoder.write(clicking(4, (1.0,), RATE))
    with pytest.raises(OSError, match="No space"):
        box.mux(source, voice, Recipe("mp4", "spa", "eng", False, ()), Full(), seconds=4, on_written=print)
    # When there is room again, then nothing of the first is left in the second
    _, result = dubbed(box, tmp_path, data, "talk.mp4", clicks=(1.0,))
    assert packets_of(result, 0) == packets_of(data, 0)
