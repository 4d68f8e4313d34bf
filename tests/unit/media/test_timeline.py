import io
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octavia.engines.types import Audio
from octavia.media.encode import Encoder, read_audio
from octavia.media.timeline import GAP, place, render
from tests.support.media import tone

RATE = 16_000

slots = st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100), st.floats(0, 30)), max_size=30)


@given(slots)
def test_nothing_overlaps_and_order_is_kept(items):
    placements = place(items)
    assert [(p.slot_start, p.slot_end, p.seconds) for p in placements] == items
    assert all(p.start >= p.slot_start and p.late >= 0 for p in placements)
    assert all(later.start >= earlier.end for earlier, later in pairwise(placements))


@given(slots)
def test_each_starts_with_its_slot_or_right_after_the_one_before(items):
    free = 0.0
    for placement in place(items):
        assert placement.start == max(placement.slot_start, free)
        free = placement.end + (GAP if placement.seconds else 0)


def test_lateness_carries_over_and_is_caught_up_in_a_pause():
    # Given a first utterance that takes two seconds too long, and a pause before the third
    first, second, third = place([(0, 2, 4.0), (2, 4, 2.0), (10, 12, 2.0)])
    assert (first.late, third.late) == (0, 0)
    assert second.late == pytest.approx(2 + GAP)


def rendered(items, audios, *, total=0.0, formats=("wav",)):
    targets = [io.BytesIO() for _ in formats]
    encoders = [Encoder(target, format, RATE) for target, format in zip(targets, formats, strict=True)]
    length = render(place(items), audios.__getitem__, encoders, rate=RATE, total=total)
    for encoder in encoders:
        encoder.close()
    return length, [read_audio(io.BytesIO(target.getvalue()))[0] for target in targets]


def test_speech_lies_where_it_was_placed():
    # Given two tones, one at another rate
    audios = [Audio(tone(1), RATE), Audio(tone(1, 22_050), 22_050)]
    length, (samples,) = rendered([(1, 2, 1.0), (4, 5, 1.0)], audios, total=8.0)
    # Then they are there, at the same level, between silences, to the end of the original
    assert length == 8.0
    assert len(samples) == 8 * RATE
    for second, loud in enumerate([False, True, False, False, True, False, False, False]):
        part = samples[second * RATE + 800 : (second + 1) * RATE - 800]
        assert np.abs(part).max() == (pytest.approx(0.1, abs=0.002) if loud else 0)


def test_speech_beyond_the_original_is_kept():
    length, (samples,) = rendered([(0, 1, 3.0)], [Audio(tone(3), RATE)], total=1.0)
    assert length == 3.0
    assert len(samples) == 3 * RATE


def test_every_encoder_gets_the_same():
    _, (first, second) = rendered([(0.5, 1, 1.0)], [Audio(tone(1), RATE)], total=2.0, formats=("wav", "flac"))
    assert np.array_equal(first, second)


def test_nothing_to_say_is_silence():
    length, (samples,) = rendered([], [], total=2.5)
    assert length == 2.5
    assert not samples.any()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.01, 1.0)), max_size=6))
def test_the_length_is_the_longer_of_speech_and_original(items):
    # Given utterances of any lengths
    audios = [Audio(tone(seconds), RATE) for _, seconds in items]
    slots = [(start, start, audio.duration) for (start, _), audio in zip(items, audios, strict=True)]
    length, (samples,) = rendered(slots, audios, total=3.0)
    assert len(samples) == round(length * RATE)
    assert length == pytest.approx(max([3.0, *(p.end for p in place(slots))]), abs=1e-3)
