import pytest
from hypothesis import given
from hypothesis import strategies as st

from octavia.engines.repetition import loops, normal, without_loops


def kept(text: str, allowed: int = 2) -> str:
    words = text.split()
    return " ".join(words[place] for place in without_loops(words, allowed=allowed))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("I see you I see you I see you I see you there", "I see you I see you there"),
        ("and so, And so and so. AND SO on", "and so, And so on"),
        ("all the people that the that the that the", "all the people that the that the"),
        ("no no no no no no yes", "no no no no yes"),
        ("call 5 5 5 5 now", "call 5 5 5 5 now"),
        ("nothing to see", "nothing to see"),
        ("", ""),
    ],
)
def test_rounds_beyond_the_allowed_go(text: str, left: str) -> None:
    assert kept(text) == left
    assert loops(text) == (text != left)


def test_words_compare_without_case_and_punctuation() -> None:
    assert normal(" Señor,") == normal("señor") == "señor"


@given(st.lists(st.sampled_from("abc"), max_size=40), st.integers(1, 3))
def test_places_are_in_order_and_what_is_left_does_not_loop_at_its_start(words: list[str], allowed: int) -> None:
    places = without_loops(words, allowed=allowed)
    assert places == sorted(set(places))
    assert all(0 <= place < len(words) for place in places)
    assert not words or places[0] == 0


@given(st.lists(st.text("abcdefgh", min_size=1), max_size=20, unique=True))
def test_text_without_repetition_stays_whole(words: list[str]) -> None:
    assert without_loops(words, allowed=1) == list(range(len(words)))
