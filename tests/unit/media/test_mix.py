import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octavia.media.mix import FALL_SECONDS, RISE_SECONDS, ducked, steady, under
from octavia.media.timeline import place

RATE = 8_000
LEVEL = -18.0


def decibels(gains: np.ndarray) -> np.ndarray:
    return 20 * np.log10(gains)


def ones(count: int) -> np.ndarray:
    return np.ones(count, dtype=np.float32)


def test_the_original_gives_way_before_speech_and_comes_back_after_it():
    # Given speech from 2 to 4 s
    gains = decibels(ducked(place([(2, 4, 2.0)]), LEVEL, RATE)(0, 6 * RATE))
    # Then the original is down throughout it, and as it is elsewhere
    assert np.allclose(gains[2 * RATE : 4 * RATE], LEVEL, atol=0.01)
    assert np.allclose(gains[: round((2 - FALL_SECONDS) * RATE)], 0, atol=0.01)
    assert np.allclose(gains[round((4 + RISE_SECONDS) * RATE) :], 0, atol=0.01)
    # And it glides: no step is to be heard
    assert np.abs(np.diff(gains)).max() < 0.02


def test_in_a_short_pause_it_stays_down():
    gains = decibels(ducked(place([(1, 2, 1.0), (2.5, 3.5, 1.0), (6, 7, 1.0)]), LEVEL, RATE)(0, 8 * RATE))
    assert np.allclose(gains[RATE : round(3.5 * RATE)], LEVEL, atol=0.01)
    assert gains[5 * RATE] == pytest.approx(0, abs=0.01)


def test_speech_at_the_very_beginning():
    gains = ducked(place([(0, 1, 1.0)]), LEVEL, RATE)(0, RATE)
    assert np.allclose(decibels(gains), LEVEL, atol=0.01)


def test_where_nothing_is_said_the_original_stays_as_it_is():
    assert np.array_equal(ducked(place([(1, 2, 0.0)]), LEVEL, RATE)(0, 100), ones(100))


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.floats(0, 60), st.floats(0, 60), st.floats(0, 5)), max_size=12),
    st.floats(-60, -1),
    st.integers(0, 60 * RATE),
)
def test_it_is_never_louder_than_it_was_and_down_wherever_the_dub_speaks(items, level, start):
    placements = place(sorted(items))
    gains = ducked(placements, level, RATE)
    window = decibels(gains(start, RATE))
    assert (window < 0.01).all()
    assert (window > level - 0.01).all()
    for placement in placements:
        if placement.seconds > 0.1:
            first = round((placement.start + 0.01) * RATE)
            spoken = decibels(gains(first, round((placement.seconds - 0.02) * RATE)))
            assert np.allclose(spoken, level, atol=0.01)


@settings(max_examples=25)
@given(
    st.lists(st.integers(0, 500), max_size=8), st.lists(st.integers(0, 500), max_size=8), st.sampled_from([0.0, -6.0])
)
def test_blocks_of_any_sizes_are_added_in_step(of_voice, of_original, level):
    # Given a voice and an original in blocks that do not match, one longer than the other
    original = np.arange(sum(of_original), dtype=np.float32) % 7 / 2
    voice = [ones(count) for count in of_voice]
    mixed = list(under(voice, np.split(original, np.cumsum(of_original)), steady(level)))
    # Then each sample is the sum of the two at its place, and the length is the voice's
    assert [len(block) for block in mixed] == of_voice
    expected = np.zeros(sum(of_voice), dtype=np.float32)
    shared = min(len(expected), len(original))
    expected[:shared] = original[:shared] * 10 ** (level / 20)
    assert np.allclose(np.concatenate([*mixed, ones(0)]), expected + 1, rtol=1e-5)


def test_nan_and_infinity_in_the_original_do_not_spoil_the_voice():
    # Given an original with numbers that are none, and some that nobody can hear
    original = np.array([np.nan, np.inf, -np.inf, 1e30, 0.5], dtype=np.float32)
    (mixed,) = under([ones(5)], [original], steady(0.0))
    assert mixed.tolist() == [1.0, 5.0, -3.0, 5.0, 1.5]
