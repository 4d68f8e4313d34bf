import numpy as np
import pytest

from octavia.media.levels import decibels, leveled, loudness, rms
from tests.support.media import tone

RATE = 16_000


def test_levels_are_measured():
    assert rms(tone(1, level=1.0)) == pytest.approx(0.7071, abs=0.001)
    assert rms(np.zeros(0, dtype=np.float32)) == 0
    assert decibels(0.1) == pytest.approx(-20)
    assert decibels(0) == pytest.approx(-100)


def test_pauses_do_not_make_a_voice_quieter():
    voice = tone(1, level=0.2)
    paused = np.concatenate([voice, np.zeros(3 * RATE, dtype=np.float32)])
    assert loudness(paused, RATE) == pytest.approx(loudness(voice, RATE), abs=0.5)


@pytest.mark.parametrize("level", [0.02, 0.1, 0.9])
def test_quiet_and_loud_speech_come_to_one_level(level):
    assert loudness(leveled(tone(1, level=level), RATE), RATE) == pytest.approx(-23, abs=0.1)


def test_peaks_do_not_clip():
    # Given quiet speech with one loud crack
    samples = tone(2, level=0.01)
    samples[1_000] = 0.9
    assert np.abs(leveled(samples, RATE)).max() <= 0.9


def test_silence_stays_silent():
    assert not leveled(np.zeros(RATE, dtype=np.float32), RATE).any()
    assert len(leveled(np.zeros(0, dtype=np.float32), RATE)) == 0
