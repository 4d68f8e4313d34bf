import numpy as np
import pytest

from octavia.media.master import leveled, mastered
from tests.support.media import r128, tone

RATE = 24_000


def speech(level: float, *, crest: float = 1.0) -> np.ndarray:
    """Noise in syllables with pauses; a higher ``crest`` has higher peaks."""
    generator = np.random.default_rng(11)
    times = np.arange(8 * RATE) / RATE
    swell = np.clip(np.sin(times * 2 * np.pi * 2), 0, 1) ** 2 * (times % 4 < 3)
    noise = np.convolve(generator.standard_normal(len(times)), [0.25, 0.5, 0.25], "same")
    return (level * swell * np.sign(noise) * np.abs(noise) ** crest).astype(np.float32)


def made(samples: np.ndarray, loudness: float) -> np.ndarray:
    def sound():
        return iter(np.split(samples, range(RATE, len(samples), RATE)))

    blocks = mastered(leveled(sound, RATE, loudness), RATE, loudness, -1.0)
    return np.concatenate([*blocks, np.zeros(0, np.float32)])


@pytest.mark.parametrize("level", [0.003, 0.1, 1.5])
@pytest.mark.parametrize(("crest", "near"), [(1.0, 0.3), (1.3, 0.5)])
def test_any_track_comes_to_its_loudness_below_the_ceiling(level, crest, near):
    # Given quiet and loud tracks with high and low peaks
    result = made(speech(level, crest=crest), -16.0)
    # Then FFmpeg's meter says of each that it is as loud as it should be, with no peak above the ceiling
    measured = r128(result, RATE)
    assert measured.integrated == pytest.approx(-16.0, abs=near)
    assert measured.true_peak <= -1.0


def test_the_gain_is_one_for_all_of_it():
    # Given a loud and a quiet half, too soft for the limiter
    samples = np.concatenate([tone(3, RATE, level=0.2), tone(3, RATE, level=0.05)])
    result = made(samples, -23.0)
    gains = result[samples != 0] / samples[samples != 0]
    assert np.allclose(gains, gains[0], rtol=1e-3)
    assert r128(result, RATE).integrated == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize("count", [0, 1, 240, 3 * RATE])
def test_silence_stays_silent(count):
    result = made(np.zeros(count, np.float32), -16.0)
    assert len(result) == count
    assert not result.any()


def test_a_single_word_is_not_blown_up():
    result = made(tone(0.1, RATE, level=0.1), -16.0)
    assert np.abs(result).max() == pytest.approx(0.23, abs=0.06)
