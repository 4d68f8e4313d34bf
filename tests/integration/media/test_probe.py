import io
import struct
import time
from fractions import Fraction

import av
import pytest

from octavia.errors import InputError
from octavia.media.probe import MediaInfo, probe
from octavia.media.tracks import SoundTrack
from tests.support.media import box, recording, tone, wav


def test_a_video():
    info = probe(io.BytesIO(recording("matroska", audio="aac", video="mpeg4", late=1.0, rate=44_100, layout="stereo")))
    assert info.container == "matroska,webm"
    assert info.duration == pytest.approx(7, abs=0.1)
    assert info.audio_start == pytest.approx(1, abs=0.05)
    assert (info.has_video, info.codec, info.channels, info.rate) == (True, "aac", 2, 44_100)


def test_a_sound_file(tmp_path):
    path = tmp_path / "tone.wav"
    path.write_bytes(wav(tone(3)))
    sound = SoundTrack(1, None, "", "pcm_s16le", 1, default=False, aside=False, readable=True)
    assert probe(path) == MediaInfo(3.0, 0.0, False, "wav", "pcm_s16le", 1, 16_000, (sound,), ())


def test_cover_art_is_no_video():
    # Given an MP3 with a picture of its cover
    target = io.BytesIO()
    with av.open(target, "w", format="mp3") as container:
        sound = container.add_stream("libmp3lame", rate=16_000, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame(64, 64, "yuvj420p")
        picture.pts, picture.time_base = 0, Fraction(1, 1)
        container.mux(cover.encode(picture))
        container.mux(cover.encode(None))
        frame = av.AudioFrame.from_ndarray(tone(2)[None], "fltp", "mono")
        frame.sample_rate = 16_000
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    assert not probe(io.BytesIO(target.getvalue())).has_video


def test_ten_thousand_tracks_are_refused_quickly():
    # Given an MP4 whose index repeats its track ten thousand times
    data = recording("mp4", seconds=1)
    start = data.index(b"moov") - 4
    size = struct.unpack_from(">I", data, start)[0]
    moov = data[start + 8 : start + size]
    at = moov.index(b"trak") - 4
    track = moov[at : at + struct.unpack_from(">I", moov, at)[0]]
    crowded = data[:start] + box(b"moov", moov + track * 10_000) + data[start + size :]
    began = time.monotonic()
    with pytest.raises(InputError):
        probe(io.BytesIO(crowded))
    assert time.monotonic() - began < 5


def test_probe_refuses_unusable_files():
    for data, code in [
        (b"", "empty_file"),
        (b"hello", "not_media"),
        (recording("mp4", audio=None, video="mpeg4"), "no_audio"),
    ]:
        with pytest.raises(InputError) as caught:
            probe(io.BytesIO(data))
        assert caught.value.code == code
