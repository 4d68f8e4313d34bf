"""Pieces of bare AAC play one behind the other."""

import io

import numpy as np
import pytest

from octavia.media import adts
from octavia.media.encode import Encoder, read_audio

RATE = 24_000


def encoded(samples: np.ndarray) -> bytes:
    target = io.BytesIO()
    with Encoder(target, adts.FORMAT, RATE) as encoder:
        encoder.write(samples)
    return target.getvalue()


def test_silence_is_silent_and_as_long_as_it_says():
    stream = adts.silence(2.0, RATE)
    samples, rate = read_audio(io.BytesIO(stream))
    assert rate == RATE
    assert len(samples) / rate == pytest.approx(2.0, abs=0.05)
    assert np.abs(samples).max() < 1e-3
    assert adts.seconds_of(stream) == pytest.approx(2.0, abs=0.05)


def test_no_time_takes_no_frames():
    assert adts.silence(0.0, RATE) == adts.silence(-3.0, RATE) == b""
    assert adts.seconds_of(b"") == 0.0


def test_pieces_are_heard_one_behind_the_other():
    # Given a tone, silence, and the tone again
    sound = np.sin(np.arange(RATE) * 2 * np.pi * 440 / RATE).astype(np.float32) * 0.5
    stream = encoded(sound) + adts.silence(1.0, RATE) + encoded(sound)
    # When they are decoded as one
    samples, _ = read_audio(io.BytesIO(stream))
    # Then each is there, and their lengths add up
    assert len(samples) / RATE == pytest.approx(adts.seconds_of(stream), abs=0.05)
    loud = [float(np.abs(samples[int(at * RATE) :][: RATE // 10]).max()) for at in (0.5, 1.7, 2.6)]
    assert [level > 0.3 for level in loud] == [True, False, True]
