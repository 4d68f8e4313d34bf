"""Growing pauses between tries."""

from itertools import islice

from octavia.backoff import Backoff


def test_pauses_grow_up_to_the_longest() -> None:
    # Given
    backoff = Backoff(0.5, 3.0)
    # When it is asked again and again
    pauses = list(islice(iter(backoff.next, None), 5))
    # Then
    assert pauses == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_after_a_success_they_begin_anew() -> None:
    # Given a backoff that has grown
    backoff = Backoff(0.5, 3.0, factor=1.5)
    assert [backoff.next(), backoff.next()] == [0.5, 0.75]
    # When
    backoff.reset()
    # Then
    assert backoff.next() == 0.5
