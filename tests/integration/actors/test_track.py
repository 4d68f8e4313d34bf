"""The files of a dub, from its utterances: how loud, what lies under them, and the film around them."""

import io
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import av
import numpy as np
import pytest

from octavia.actors.track import TRACK_RATE, write_track
from octavia.jobs.tables.states import JobType, Stage
from octavia.media.encode import Encoder, read_audio
from octavia.media.timeline import place
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.text.utterances import Utterance
from octavia.work import Work
from tests.support.film import clicking, film, heard_clicks, packets_of
from tests.support.media import Sound, many_sounds, r128, recording, tone, wav_channels

SECONDS = 12.0
SLOTS = ((2.0, 4.0), (7.0, 9.0))


class Desk:
    """As much of a task in hand as writing a dub uses."""

    def __init__(self, folder: Path, name: str, data: bytes, speech: np.ndarray, **options: Any) -> None:
        self.storage = Storage(f"file://{folder}")
        self.storage.put("input", data)
        self.settings = Settings()
        self.warnings: list[dict[str, str]] = []
        self.saved: dict[str, bytes] = {}
        self.types: dict[str, str] = {}
        self.job = SimpleNamespace(
            type=JobType.DUB,
            input={"kind": "media", "key": "input", "filename": name},
            duration=SECONDS,
            options=options,
            source_language="en",
            result_language="es",
        )
        target = io.BytesIO()
        with Encoder(target, "flac", TRACK_RATE) as encoder:
            encoder.write(speech)
        self._speech = target.getvalue()
        self.track = 1

    def read(self, stage: Stage, name: str, *, chunk: int) -> io.BytesIO:
        return io.BytesIO(self._speech)

    def read_json(self, stage: Stage, name: str) -> Any:
        assert (stage, name) == (Stage.PREPARE, "sound.json")
        return {"track": self.track}

    def checkpoint(self, fraction: float) -> None:
        assert 0 <= fraction <= 1

    def save_file(self, name: str, path: Path, media_type: str, *, published: bool) -> None:
        assert published
        self.saved[name] = path.read_bytes()
        self.types[name] = media_type

    def write(self, slots: Sequence[tuple[float, float]] = SLOTS) -> np.ndarray:
        """Write everything; gives the samples of dub.wav."""
        utterances = [
            Utterance(f"0-{number}", 0, start, end, "Good morning.", "Buenos días.", ())
            for number, (start, end) in enumerate(slots)
        ]
        placements = place(
            [(start, end, len(read_audio(io.BytesIO(self._speech))[0]) / TRACK_RATE) for start, end in slots]
        )
        length = write_track(cast(Work, self), utterances, placements)
        samples, rate = read_audio(io.BytesIO(self.saved["dub.wav"]))
        assert (rate, len(samples) / rate) == (TRACK_RATE, pytest.approx(length))
        return samples


def voice(seconds: float = 1.5) -> np.ndarray:
    """Noise in syllables, at a level of its own."""
    generator = np.random.default_rng(2)
    swell = np.abs(np.sin(np.arange(round(seconds * TRACK_RATE)) * 2 * np.pi * 2 / TRACK_RATE))
    return (0.02 * swell * generator.standard_normal(len(swell))).astype(np.float32)


def level(samples: np.ndarray, start: float, end: float) -> float:
    """Of the tone in a stretch of the track, in dB; noise hardly counts."""
    part = samples[round(start * TRACK_RATE) : round(end * TRACK_RATE)]
    times = np.arange(len(part)) * 2j * np.pi * 440 / TRACK_RATE
    return float(20 * np.log10(np.abs(np.mean(part * np.exp(-times))) * 2 + 1e-9))


def test_a_film_comes_back_with_the_dub_in_time_and_the_rest_as_it_was(tmp_path: Path) -> None:
    # Given a film whose sound begins late, and utterances that click half a second after they begin
    data = film("mp4", seconds=SECONDS, clicks=(2.5, 7.5), late=1.2)
    desk = Desk(tmp_path, "talk.mp4", data, clicking(1.5, (0.5,), TRACK_RATE), formats=["wav", "mp3"])
    # When the dub is written
    desk.write()
    # Then there are the formats that were asked for, and the film
    assert desk.types == {"dub.wav": "audio/wav", "dub.mp3": "audio/mpeg", "video.mp4": "video/mp4"}
    assert desk.warnings == []
    # And in it the same picture, the dub's clicks where they belong, and the original beside it
    video = desk.saved["video.mp4"]
    assert packets_of(video, 0) == packets_of(data, 0)
    assert heard_clicks(video, 0) == pytest.approx([2.5, 7.5], abs=0.02)
    assert heard_clicks(video, 1) == pytest.approx([2.5, 7.5], abs=0.02)
    # And what was said, in both languages
    with av.open(io.BytesIO(video)) as container:
        tracks = [(stream.type, stream.language) for stream in list(container.streams)[1:]]
        texts = [bytes(packet) for packet in container.demux(container.streams.subtitles[0]) if packet.size > 2]
    assert tracks == [("audio", "spa"), ("audio", "eng"), ("subtitle", "spa"), ("subtitle", "eng")]
    assert [text[2:].decode() for text in texts] == ["Buenos días.", "Buenos días."]


def test_the_track_is_as_loud_as_the_setting_says(tmp_path: Path) -> None:
    # Given a quiet voice, and a setting of its own
    desk = Desk(tmp_path, "talk.wav", recording("wav", audio="pcm_s16le", seconds=SECONDS), voice())
    desk.settings = Settings(dub_loudness=-20.0)
    measured = r128(desk.write(), TRACK_RATE)
    assert measured.integrated == pytest.approx(-20.0, abs=0.3)
    assert measured.true_peak <= -1.0
    assert set(desk.saved) == {"dub.wav"}


@pytest.mark.parametrize(
    ("options", "during"),
    [
        ({"background": "keep"}, 0.0),
        ({"background": "duck"}, -18.0),
        ({"background": "duck", "background_level": -9.0}, -9.0),
    ],
)
def test_the_original_lies_under_the_dub(tmp_path: Path, options: dict[str, Any], during: float) -> None:
    # Given a recording with a tone throughout
    desk = Desk(tmp_path, "talk.wav", recording("wav", audio="pcm_s16le", seconds=SECONDS), voice(), **options)
    # When its dub is written, then the tone is as it was where nobody speaks, and lower by so much under the speech
    samples = desk.write()
    free = level(samples, 5.0, 6.5)
    assert free > -30
    assert level(samples, 0.5, 1.5) == pytest.approx(free, abs=0.3)
    for start in (2.0, 7.0):
        assert level(samples, start + 0.1, start + 1.4) - free == pytest.approx(during, abs=0.7)
    measured = r128(samples, TRACK_RATE)
    assert measured.integrated == pytest.approx(-16.0, abs=0.3)
    assert measured.true_peak <= -1.0


def test_an_inverted_original_is_heard_under_the_dub(tmp_path: Path) -> None:
    # Given the same tone in one channel, and in two of which one is inverted
    left = tone(SECONDS)
    heard = [
        level(Desk(tmp_path / name, "talk.wav", data, voice(), background="keep").write(), 5.0, 6.5)
        for name, data in (("mono", wav_channels(left)), ("inverted", wav_channels(left, -left)))
    ]
    # Then it is as loud under the dub
    assert heard[0] > -30
    assert heard[1] == pytest.approx(heard[0], abs=1.0)


def test_the_sound_under_the_dub_is_the_one_that_was_chosen(tmp_path: Path) -> None:
    # Given a film with two sounds
    data = many_sounds("matroska", (Sound(880), Sound(440)), seconds=SECONDS)
    heard = []
    for track in (1, 2):
        desk = Desk(tmp_path / str(track), "talk.mka", data, voice(), background="keep")
        desk.track = track
        heard.append(level(desk.write(), 5.0, 6.5))
    # Then the chosen one is under the dub, and not the other
    assert heard[0] < -60
    assert heard[1] > -30


def test_without_a_background_nothing_of_the_original_is_heard(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "talk.wav", recording("wav", audio="pcm_s16le", seconds=SECONDS), voice())
    assert not desk.write()[: 2 * TRACK_RATE].any()


def test_nothing_to_say_is_silence_of_the_same_length(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "talk.wav", recording("wav", audio="pcm_s16le", seconds=SECONDS), voice())
    samples = desk.write(slots=())
    assert len(samples) == SECONDS * TRACK_RATE
    assert not samples.any()


def test_a_film_in_which_nobody_speaks_gets_silence_and_no_subtitles(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "talk.mkv", film("matroska", seconds=SECONDS), voice())
    desk.write(slots=())
    assert desk.warnings == []
    with av.open(io.BytesIO(desk.saved["video.mkv"])) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio", "audio"]


def test_a_picture_that_cannot_be_copied_is_a_warning_and_the_dub_is_there(tmp_path: Path) -> None:
    # Given a film whose picture is in a codec that nobody knows
    data = film("mp4", seconds=SECONDS).replace(b"avc1", b"zzzz")
    desk = Desk(tmp_path, "talk.mp4", data, voice())
    # When the dub is written, then all but the film is there, and why is said
    desk.write()
    assert set(desk.saved) == {"dub.wav"}
    (warning,) = desk.warnings
    assert warning["code"] == "no_video"
    assert "codec" in warning["message"]


def test_a_container_that_is_not_written_becomes_matroska_and_that_is_said(tmp_path: Path) -> None:
    data = film("avi", video="mpeg4", audio="mp3", seconds=SECONDS)
    desk = Desk(tmp_path, "talk.avi", data, voice(), audio_tracks="replace")
    desk.write()
    assert desk.types["video.mkv"] == "video/x-matroska"
    assert [warning["code"] for warning in desk.warnings] == ["video_container_changed"]
    with av.open(io.BytesIO(desk.saved["video.mkv"])) as container:
        assert [stream.language for stream in container.streams.audio] == ["spa"]


def test_a_track_that_the_container_cannot_have_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    # Given a QuickTime film that is called an MP4, with sound that an MP4 cannot have
    desk = Desk(tmp_path, "talk.mp4", film("mov", audio="adpcm_ima_qt", seconds=SECONDS), voice())
    desk.write()
    with av.open(io.BytesIO(desk.saved["video.mp4"])) as container:
        assert [stream.language for stream in container.streams.audio] == ["spa"]
    (warning,) = desk.warnings
    assert warning["code"] == "video_tracks_left_out"
    assert "adpcm_ima_qt" in warning["message"]


def test_cover_art_is_no_film(tmp_path: Path) -> None:
    # Given music with a picture that does not move
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        sound = container.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(SECONDS)[None], "fltp", "mono")
        frame.sample_rate, frame.pts = 16_000, 0
        packets = [*cover.encode(av.VideoFrame(64, 48, "yuvj420p")), *cover.encode(None)]
        container.mux([*packets, *sound.encode(frame), *sound.encode(None)])
    desk = Desk(tmp_path, "song.m4a", target.getvalue(), voice())
    desk.write()
    assert set(desk.saved) == {"dub.wav"}
