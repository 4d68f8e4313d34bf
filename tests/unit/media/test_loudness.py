import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octavia.media.loudness import decibels, factor, gain_to, integrated_loudness, window_powers
from tests.support.media import r128, tone

RATE = 24_000


def noise(seconds: float, level: float = 0.1) -> np.ndarray:
    """Noise that is weak in its treble, as sound is."""
    generator = np.random.default_rng(7)
    white = level * generator.standard_normal(round(seconds * RATE))
    return np.convolve(white, [0.25, 0.5, 0.25], "same").astype(np.float32)


def test_it_is_what_ffmpeg_measures_of_the_same_file():
    # Given loud and quiet stretches and pauses
    parts = [noise(3), np.zeros(2 * RATE, dtype=np.float32), noise(4, 0.01), tone(3, RATE), noise(2, 0.0001)]
    samples = np.concatenate(parts)
    # When it is measured in uneven pieces
    measured = integrated_loudness(np.split(samples, [1, 700, 5 * RATE + 3]), RATE)
    # Then that is what FFmpeg says of it whole, at its own rate
    assert measured == pytest.approx(r128(samples, RATE).integrated, abs=0.1)


def test_the_reference_tone_is_as_loud_as_the_standard_says():
    # A sine of 997 Hz at -20 dBFS, in one channel: -23 LUFS
    samples = (0.1 * np.sin(np.arange(20 * RATE) * 2 * np.pi * 997 / RATE)).astype(np.float32)
    assert integrated_loudness([samples], RATE) == pytest.approx(-23.0, abs=0.1)


def test_pauses_do_not_make_a_voice_quieter():
    voice = noise(3)
    paused = [np.concatenate([voice, np.zeros(9 * RATE, dtype=np.float32)])]
    assert integrated_loudness(paused, RATE) == pytest.approx(integrated_loudness([voice], RATE), abs=0.5)


@pytest.mark.parametrize("blocks", [[], [np.zeros(0, np.float32)], [np.zeros(10, np.float32)], [np.zeros(RATE)]])
def test_silence_has_no_loudness_and_gets_no_gain(blocks):
    assert integrated_loudness(blocks, RATE) == -math.inf
    assert gain_to(-16.0, -math.inf) == 1.0


@pytest.mark.parametrize("seconds", [0.05, 0.1, 0.39])
def test_a_word_is_as_loud_as_if_it_went_on(seconds):
    assert integrated_loudness([tone(seconds, RATE)], RATE) == pytest.approx(
        integrated_loudness([tone(5, RATE)], RATE), abs=0.5
    )


@settings(max_examples=20)
@given(st.lists(st.integers(0, 3 * RATE), max_size=5).map(sorted), st.integers(RATE, 3 * RATE))
def test_how_it_is_cut_makes_no_difference(cuts, length):
    samples = noise(3)[:length]
    assert integrated_loudness(np.split(samples, cuts), RATE) == integrated_loudness([samples], RATE)


@settings(max_examples=10)
@given(st.floats(0.02, 1.0))
def test_the_gain_brings_any_level_to_the_target(level):
    samples = level * noise(2)
    louder = samples * np.float32(gain_to(-16.0, integrated_loudness([samples], RATE)))
    assert integrated_loudness([louder], RATE) == pytest.approx(-16.0, abs=0.1)


def test_decibels_are_factors():
    assert (factor(0), factor(-20), factor(6.0206)) == pytest.approx((1, 0.1, 2), abs=1e-4)
    assert (decibels(1), decibels(0.1), decibels(2)) == pytest.approx((0, -20, 6.0206), abs=1e-4)


def test_powers_of_whole_windows():
    powers = window_powers(tone(1.005, level=1.0), 160)
    assert len(powers) == 100
    assert np.allclose(powers.mean(), 0.5, atol=0.001)
