from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octavia.engines.recognition.word_times import UNKNOWN, timed
from octavia.text.words import Word


def word(text: str, start: float | None, end: float | None) -> Word:
    return Word(UNKNOWN if start is None else start, UNKNOWN if end is None else end, f" {text}", 0.9)


def times(*words: Word, start: float = 1.0, end: float = 5.0) -> list[tuple[float, float]]:
    found = timed(words, start, end, earliest=0.0, latest=10.0)
    assert [(one.text, one.probability) for one in found] == [(one.text, one.probability) for one in words]
    return [(round(one.start, 3), round(one.end, 3)) for one in found]


def test_times_that_are_there_stay() -> None:
    assert times(word("one", 1.0, 1.5), word("two", 1.7, 2.0)) == [(1.0, 1.5), (1.7, 2.0)]


def test_words_without_times_share_what_is_free_by_their_letters() -> None:
    assert times(word("a", 1.0, 2.0), word("bb", None, None), word("cccc", None, None), word("d", 3.2, 4.0)) == [
        (1.0, 2.0),
        (2.0, 2.4),
        (2.4, 3.2),
        (3.2, 4.0),
    ]


def test_at_the_ends_they_share_what_the_segment_has() -> None:
    assert times(word("ab", None, None), word("c", 2.0, 3.0), word("de", None, 4.0)) == [
        (1.0, 2.0),
        (2.0, 3.0),
        (3.0, 5.0),
    ]
    assert times(word("ab", None, None), word("cd", None, None)) == [(1.0, 3.0), (3.0, 5.0)]


def test_where_nothing_is_free_the_word_before_shares_its_time() -> None:
    assert times(word("abc", 1.0, 2.0), word("d", 2.0, 2.0), word("e", 2.0, 3.0)) == [
        (1.0, 1.75),
        (1.75, 2.0),
        (2.0, 3.0),
    ]


def test_at_the_beginning_it_is_the_word_after() -> None:
    assert times(word("a", 1.0, 1.0), word("bcd", 1.0, 2.0)) == [(1.0, 1.25), (1.25, 2.0)]


def test_a_word_of_no_length_does_not_last_through_a_pause() -> None:
    [first, second, third] = times(word("so", 1.0, 1.2), word("a", 1.4, 1.4), word("cat", 4.0, 4.5))
    assert (first, third) == ((1.0, 1.2), (4.0, 4.5))
    assert second[0] == 1.4
    assert 1.42 < second[1] < 1.7


def test_without_any_room_they_have_none() -> None:
    assert times(word("a", 10.0, 12.0), word("b", None, None), start=10.0, end=12.0) == [(10.0, 10.0), (10.0, 10.0)]


_TIME = st.none() | st.sampled_from([-1.0, 0.0, 1.0, 1.01, 2.0, 3.5, 9.0, 11.0])


@given(
    st.lists(st.builds(word, st.sampled_from(["a", "bcd", "efghijk", "."]), _TIME, _TIME), min_size=1, max_size=12),
    st.sampled_from([0.0, 2.0, 9.9]),
    st.sampled_from([0.5, 3.0, 12.0]),
)
def test_they_are_in_order_within_bounds(words: list[Word], start: float, end: float) -> None:
    found = timed(words, start, end, earliest=0.5, latest=10.0)
    edges = [edge for one in found for edge in (one.start, one.end)]
    assert all(earlier <= later for earlier, later in pairwise([0.5, *edges, 10.0]))


def test_the_same_as_before_when_nothing_is_missing() -> None:
    words = [word("a", 1.0, 2.0), word("b", 3.0, 4.0)]
    assert timed(words, 0.0, 5.0, earliest=0.0, latest=10.0) == words


@pytest.mark.parametrize("known", [True, False])
def test_one_word_alone_has_the_segment(known: bool) -> None:
    [only] = times(word("abcdef", 1.0, 5.0) if known else word("abcdef", None, None))
    assert only == (1.0, 5.0)
