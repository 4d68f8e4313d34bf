import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octavia.media.limiter import limit, true_peaks
from octavia.media.loudness import factor
from tests.support.media import r128, tone

RATE = 24_000
CEILING = -1.0


def limited(samples: np.ndarray, *, cuts: list[int] | None = None) -> np.ndarray:
    return np.concatenate([*limit(np.split(samples, cuts or []), RATE, CEILING), np.zeros(0, np.float32)])


def bursts(seconds: float = 4.0, *, level: float) -> np.ndarray:
    """Noise in bursts, as uneven as speech."""
    generator = np.random.default_rng(3)
    count = round(seconds * RATE)
    swell = np.abs(np.sin(np.arange(count) * 2 * np.pi * 3 / RATE)) ** 3
    return (level * swell * generator.standard_normal(count)).astype(np.float32)


@pytest.mark.parametrize("level", [0.3, 1.0, 6.0])
def test_no_true_peak_is_above_the_ceiling(level):
    # Given sound far above full scale
    samples = bursts(level=level)
    assert r128(samples, RATE).true_peak > 0
    # When it is limited, then FFmpeg's meter finds no peak above the ceiling, and it is still about as loud
    result = limited(samples)
    assert len(result) == len(samples)
    assert CEILING - 0.7 < r128(result, RATE).true_peak <= CEILING


def test_a_peak_that_no_sample_shows_is_found():
    # Given a sine at a quarter of the rate whose samples all lie beside its peaks
    samples = (np.sin(np.arange(RATE) * np.pi / 2 + np.pi / 4)).astype(np.float32)
    assert np.abs(samples).max() == pytest.approx(0.7071, abs=0.001)
    assert true_peaks(samples)[100:-100].max() == pytest.approx(1.0, abs=0.01)
    # Then it is turned down all the same
    assert np.abs(limited(samples)[500:-500]).max() < 0.65


def test_only_what_is_near_a_peak_is_touched():
    # Given a quiet tone with one loud crack
    samples = tone(2, RATE, level=0.1)
    samples[RATE] = 1.5
    result = limited(samples)
    # Then 15 ms before and after, nothing has changed, and in between nothing jumps
    assert np.array_equal(result[: RATE - 360], samples[: RATE - 360])
    assert np.array_equal(result[RATE + 360 :], samples[RATE + 360 :])
    gains = np.delete(result, RATE)[RATE - 360 : RATE + 360] / np.delete(samples, RATE)[RATE - 360 : RATE + 360]
    assert np.abs(np.diff(gains)).max() < 0.02


def test_limit_leaves_quiet_sound_unchanged():
    samples = bursts(level=0.05)
    assert np.array_equal(limited(samples), samples)
    assert not limited(np.zeros(RATE, np.float32)).any()
    assert len(limited(np.zeros(0, np.float32))) == 0


@settings(max_examples=25)
@given(st.lists(st.integers(0, RATE), max_size=6).map(sorted), st.integers(0, RATE))
def test_how_it_is_cut_makes_no_difference(cuts, length):
    samples = bursts(1.0, level=2.0)[:length]
    whole = limited(samples)
    assert len(whole) == length
    assert np.allclose(limited(samples, cuts=cuts), whole, atol=1e-6)
    assert np.abs(whole).max(initial=0) <= factor(CEILING)
