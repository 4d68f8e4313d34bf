"""Fitting utterances to the time of the speaker."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octavia.media.fitting import ON_TIME, Fitter, Rates, choose, fit, fitted, summary
from octavia.media.timeline import GAP

RATES = Rates()
TINY = 1e-9


@st.composite
def recordings(draw: st.DrawFn) -> tuple[list[tuple[float, float, float]], float]:
    """Utterances of a speaker, in order and with pauses, and how long their dubs are; and the recording's length."""
    items, at = [], 0.0
    for _ in range(draw(st.integers(0, 30))):
        start = at + draw(st.sampled_from([0.0, 0.0, 0.3, 1.0, 5.0]))
        at = start + draw(st.floats(0.2, 12))
        items.append((start, at, draw(st.one_of(st.just(0.0), st.floats(0.05, 25)))))
    return items, at + draw(st.floats(0, 3))


@given(recordings())
def test_never_early_never_at_once_and_never_cut(recording):
    items, total = recording
    placements = fit(items, total=total, rates=RATES)
    assert [(p.slot_start, p.slot_end) for p in placements] == [item[:2] for item in items]
    assert all(p.late >= 0 for p in placements)
    spoken = [placement for placement in placements if placement.seconds]
    assert all(later.start >= earlier.end for earlier, later in pairwise(spoken))
    for placement, (_, _, natural) in zip(placements, items, strict=True):
        assert placement.seconds * placement.rate == pytest.approx(natural)
        assert RATES.slowest <= placement.rate <= RATES.hurried


@given(recordings())
def test_each_is_as_hurried_as_it_must_be_and_no_more(recording):
    items, total = recording
    free = 0.0
    for placement in fit(items, total=total, rates=RATES):
        if not placement.seconds:
            # Where nothing is said nobody has to wait.
            assert (placement.start, placement.rate) == (placement.slot_start, 1)
            continue
        assert placement.start == max(placement.slot_start, free)
        free = placement.free
        end = placement.until - GAP
        if placement.rate == RATES.hurried:
            # Nothing else is late: whoever keeps the next one waiting has done what it can.
            assert placement.end >= end - TINY
        elif placement.rate > 1:
            assert placement.end == pytest.approx(end)
        elif placement.rate < 1:
            # As long as the speaker was, if that slow, and it takes no time from anybody.
            assert placement.end <= min(placement.slot_end, end) + TINY
            assert placement.rate == RATES.slowest or placement.end == pytest.approx(min(placement.slot_end, end))
        else:
            assert placement.slot_end - TINY <= placement.end <= end + TINY


@given(recordings())
def test_an_utterance_is_late_only_after_one_at_the_hurried_rate(recording):
    items, total = recording
    spoken = [placement for placement in fit(items, total=total, rates=RATES) if placement.seconds]
    for before, late in pairwise(spoken):
        assert late.late <= TINY or before.rate == RATES.hurried


def test_the_time_of_a_silent_one_is_free_for_the_one_before():
    # Given four seconds of speech for two, and then a line of which nothing is said
    first, silent, last = fit([(0.0, 2.0, 4.0), (2.0, 8.0, 0.0), (8.0, 9.0, 1.0)], total=9.0, rates=RATES)
    # Then it need not hurry, and all are fitted
    assert (first.rate, first.until, last.late) == (1.0, 8.0, 0.0)
    assert all(map(fitted, (first, silent, last)))
    assert summary([first, silent, last])["utterances"] == 2


def test_the_measures_in_their_order():
    def only(natural: float):
        # Given a speaker who takes 2 s, and a pause of 1 s
        (placement,) = fit([(1.0, 3.0, natural)], total=4.0 + GAP, rates=RATES)
        return placement.rate, placement.end

    assert only(1.0) == (0.85, pytest.approx(1 + 1 / 0.85))  # slower, but not as slow as the speaker
    assert only(1.9) == (pytest.approx(0.95), pytest.approx(3.0))  # as slow as the speaker
    assert only(2.9) == (1.0, pytest.approx(3.9))  # into the pause
    assert only(3.3) == (pytest.approx(1.1), pytest.approx(4.0))  # faster
    assert only(4.2) == (pytest.approx(1.4), pytest.approx(4.0))  # in a hurry
    assert only(6.0) == (1.5, pytest.approx(5.0))  # and only then too long


def test_a_debt_is_paid_back_at_the_next_pause():
    # Given one that is much too long, one without a pause after it, one with one, and one more
    items = [(0.0, 2.0, 4.5), (2.0, 4.0, 2.0), (4.0, 6.0, 2.0), (9.0, 11.0, 2.0)]
    first, second, third, fourth = fit(items, total=12.0, rates=RATES)
    # Then the next starts late, hurries as far as need be, and the pause makes up for the rest
    assert (first.rate, second.late) == (1.5, pytest.approx(1 + GAP))
    assert second.rate == RATES.hurried
    assert third.late == pytest.approx(second.end + GAP - 4.0)
    assert third.rate == 1.0
    assert fourth.late == 0
    # And it is said of those that have not had their own place
    assert [fitted(p) for p in (first, second, third, fourth)] == [False, False, False, True]


def test_one_that_is_late_by_less_than_anybody_hears_is_fitted():
    room = 2.0 - GAP
    first, second = fit([(0.0, 2.0, (room + ON_TIME - 0.01) * RATES.hurried), (2.0, 4.0, 1.0)], total=9, rates=RATES)
    assert 0 < second.late < ON_TIME
    assert fitted(first)
    assert fitted(second)


def test_speech_beyond_the_end_of_the_recording_is_not_fitted():
    (placement,) = fit([(0.0, 2.0, 6.0)], total=2.0, rates=RATES)
    assert placement.end == 4.0
    assert not fitted(placement)


def test_other_rates():
    rates = Rates(slowest=1.0, fastest=1.1, hurried=1.2)
    items = [(0.0, 2.0, 1.0), (3.0, 5.0, 9.0)]
    assert [p.rate for p in fit(items, total=6.0, rates=rates)] == [1.0, 1.2]


@pytest.mark.parametrize(
    ("room", "chosen", "looked_at"),
    [
        (4.0, 5.0, 1),  # a quarter faster is enough
        (3.9, 4.0, 2),  # the likeliest of the shorter ones
        (2.8, 3.0, 3),
        (2.0, 3.0, 3),  # none at a quarter faster: the shortest
        (-1.0, 3.0, 3),
    ],
)
def test_wordings_are_tried_until_one_fits(room, chosen, looked_at):
    # Given a translation, and others that are shorter
    tried = []

    def spoken():
        for seconds in (5.0, 4.0, 3.0):
            tried.append(seconds)
            yield seconds

    # Then no more are spoken than need be
    assert choose(spoken(), float, room=room, rates=RATES) == chosen
    assert len(tried) == looked_at


def test_room_is_what_those_before_have_left():
    fitter = Fitter(RATES)
    assert fitter.room(1.0, 3.0) == 2.0 - GAP
    fitter.place(1.0, 3.0, 6.0, until=3.0)
    assert fitter.room(3.0, 7.0) == pytest.approx(7.0 - GAP - (5.0 + GAP))


def test_a_summary_of_all():
    placements = fit([(0.0, 2.0, 3.5), (2.0, 4.0, 1.0), (8.0, 9.0, 1.0)], total=10.0, rates=RATES)
    late = placements[1].late
    assert late > ON_TIME
    rates = [p.rate for p in placements]
    assert summary(placements) == {
        "utterances": 3,
        "on_time": 0.6667,
        "fitted": 0.3333,
        "mean_lateness": round(late / 3, 3),
        "worst_lateness": round(late, 3),
        "mean_rate": round(sum(rates) / 3, 3),
        "worst_rate": 1.5,
    }
    # And what is silent has no part in it
    assert summary(fit([(0.0, 1.0, 0.0)], total=1.0, rates=RATES)) is None
