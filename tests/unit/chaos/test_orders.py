"""What is ordered: distinct, short, and each about as often."""

import io
from collections import Counter
from random import Random

import numpy as np

from chaos.orders import LONGEST_CLIP, drawn, orders
from octavia.media.encode import read_audio


def test_orders_are_distinct_and_recordings_short() -> None:
    # When the orders are made from the sample
    known = orders()
    # Then their names differ, every type is there, and no recording is longer than promised or silent
    assert len({one.name for one in known}) == len(known)
    assert {one.type for one in known} == {"synthesize", "translate", "transcribe", "dub"}
    clips = [one.fields["file"][1] for one in known if "file" in one.fields]
    for clip in clips:
        samples, rate = read_audio(io.BytesIO(clip))
        assert 2 < len(samples) / rate <= LONGEST_CLIP
        assert np.abs(samples).max() > 0.05


def test_each_is_drawn_about_as_often_in_an_order_of_the_seed() -> None:
    known = orders()
    many = drawn(known, 100, Random(3))
    assert set(Counter(one.name for one in many).values()) <= {100 // len(known), 100 // len(known) + 1}
    assert [one.name for one in many] == [one.name for one in drawn(known, 100, Random(3))]
    assert [one.name for one in many] != [one.name for one in drawn(known, 100, Random(4))]
