import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octavia.engines.types import Audio
from octavia.media.render import faded, render
from octavia.media.timeline import Placement, place
from tests.support.media import tone

RATE = 16_000


def rendered(items, audios, *, total=0.0):
    blocks = list(render(place(items), audios.__getitem__, rate=RATE, total=total))
    return np.concatenate([*blocks, np.zeros(0, dtype=np.float32)])


def click(seconds: float, at: float, rate: int) -> Audio:
    samples = np.zeros(round(seconds * rate), dtype=np.float32)
    samples[round(at * rate)] = 0.9
    return Audio(samples, rate)


def test_speech_lies_where_it_was_placed():
    # Given two tones, one at another rate
    audios = [Audio(tone(1), RATE), Audio(tone(1, 22_050), 22_050)]
    samples = rendered([(1, 2, 1.0), (4, 5, 1.0)], audios, total=8.0)
    # Then they are there between silences, to the end of the original
    assert len(samples) == 8 * RATE
    for second, loud in enumerate([False, True, False, False, True, False, False, False]):
        part = samples[second * RATE + 800 : (second + 1) * RATE - 800]
        assert np.abs(part).max() == (pytest.approx(0.3, abs=0.002) if loud else 0)


@pytest.mark.parametrize("rate", [RATE, 22_050, 24_000])
def test_a_hundred_utterances_later_all_is_still_in_its_place_to_the_sample(rate):
    # Given many utterances at odd times, each with a click 0.5 s after its start
    slots = [(index * 1.2345, 0.0, 1.0) for index in range(100)]
    samples = rendered(slots, [click(1.0, 0.5, rate)] * 100)
    # Then every click is where it should be; between two samples where the rates differ
    clicks = np.array([np.abs(samples[round(start * RATE) :][:RATE]).argmax() for start, _, _ in slots])
    assert np.abs(clicks - RATE / 2).max() <= (0 if rate == RATE else 1)


def test_speech_beyond_the_original_is_kept():
    assert len(rendered([(0, 1, 3.0)], [Audio(tone(3), RATE)], total=1.0)) == 3 * RATE


def test_an_utterance_that_reaches_into_the_next_is_cut_without_a_click():
    # Given an utterance that is longer than was said of it
    placements = [Placement(0, 1, 0.0, 1.0), Placement(1, 2, 1.0, 1.0)]
    audios = [Audio(tone(1.5), RATE), Audio(np.zeros(RATE, np.float32), RATE)]
    samples = np.concatenate(list(render(placements, audios.__getitem__, rate=RATE)))
    # Then the next is in its place, and the end of the first has faded
    assert len(samples) == 2 * RATE
    assert not samples[RATE:].any()
    assert np.abs(samples[RATE - 3 : RATE]).max() < 0.001


def test_both_ends_fade_over_ten_milliseconds():
    result = faded(np.ones(RATE, dtype=np.float32), RATE)
    assert result[0] == 0
    assert result[-1] == 0
    assert (np.diff(result[:160]) > 0).all()
    assert (np.diff(result[-160:]) < 0).all()
    assert (result[160:-160] == 1).all()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 100])
def test_a_few_samples_fade_as_well(count):
    assert len(faded(np.ones(count, dtype=np.float32), RATE)) == count


def test_nothing_to_say_is_silence_in_blocks():
    blocks = list(render([], [].__getitem__, rate=RATE, total=2.5))
    assert [len(block) for block in blocks] == [RATE, RATE, RATE // 2]
    assert not np.concatenate(blocks).any()


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.01, 1.0)), max_size=6))
def test_the_length_is_the_longer_of_speech_and_original(items):
    # Given utterances of any lengths
    audios = [Audio(tone(seconds), RATE) for _, seconds in items]
    slots = [(start, start, audio.duration) for (start, _), audio in zip(items, audios, strict=True)]
    samples = rendered(slots, audios, total=3.0)
    assert len(samples) / RATE == pytest.approx(max([3.0, *(p.end for p in place(slots))]), abs=1e-3)
