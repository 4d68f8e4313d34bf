"""What is ordered: distinct, short or of several chunks, and each about as often."""

import io
from collections import Counter
from random import Random

import numpy as np

from chaos.orders import LONGEST_CHUNK, LONGEST_CLIP, drawn, orders
from octavia.media.encode import read_audio


def test_orders_are_distinct_and_recordings_short_unless_they_say_so() -> None:
    # When the orders are made from the sample
    known = orders()
    # Then their names differ, every type is there, and no recording is longer than promised or silent
    assert len({one.name for one in known}) == len(known)
    assert {one.type for one in known} == {"synthesize", "translate", "transcribe", "dub"}
    for one in known:
        if "file" not in one.fields:
            continue
        samples, rate = read_audio(io.BytesIO(one.fields["file"][1]))
        seconds = len(samples) / rate
        assert np.abs(samples).max() > 0.05
        assert seconds > 3 * LONGEST_CHUNK if one.long else 2 < seconds <= LONGEST_CLIP
    assert any(one.long for one in known)


def test_each_is_drawn_about_as_often_in_an_order_of_the_seed() -> None:
    known = orders()
    many = drawn(known, 100, Random(3))
    kept = Counter(one.name for one in many if not one.canceled)
    assert kept.total() == 100
    assert set(kept.values()) <= {100 // len(known), 100 // len(known) + 1}
    assert [one.name for one in many] == [one.name for one in drawn(known, 100, Random(3))]
    assert [one.name for one in many] != [one.name for one in drawn(known, 100, Random(4))]


def test_some_orders_are_canceled_in_the_middle_of_their_chunks() -> None:
    # Given a hundred orders, Then ten more are to be canceled, all of several chunks
    canceled = [one for one in drawn(orders(), 100, Random(3)) if one.canceled]
    assert len(canceled) == 10
    assert all(one.long for one in canceled)
