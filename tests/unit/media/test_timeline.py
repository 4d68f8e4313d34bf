from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octavia.media.timeline import GAP, place

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
