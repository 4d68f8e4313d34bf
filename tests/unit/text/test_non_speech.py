import pytest
from hypothesis import given
from hypothesis import strategies as st

from octavia.text.non_speech import is_non_speech, runs
from octavia.text.words import Word

PAUSE = 1.2


def words(text: str) -> list[Word]:
    """A word each 0.3 s; before one that begins with a bar is a long pause."""
    found: list[Word] = []
    clock = 0.0
    for part in text.split():
        clock += 2.0 if part.startswith("|") else 0.0
        found.append(Word(clock, clock + 0.3, f" {part.lstrip('|')}", 0.9))
        clock += 0.3
    return found


def marked(text: str) -> list[str]:
    heard = words(text)
    return ["".join(word.text for word in heard[first:last]).strip() for first, last in runs(heard, PAUSE)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[Music]", ["[Music]"]),
        ("Hello there. [ Silence ] Yes, [BLANK_AUDIO]. So", ["[ Silence ]", "[BLANK_AUDIO]."]),
        ("(applause) Thank you. (audience laughing) |(Laughter)", ["(applause)", "(audience laughing)", "(Laughter)"]),
        ("Well *sighs* I know", ["*sighs*"]),
        ("♪ la la la ♪ Hello.", ["♪ la la la ♪"]),
        ("♪ I love you. Hello.", ["♪ I love you."]),
        ("♪ I love |you", ["♪ I love"]),
        ("♪I love you♪ so", ["♪I love you♪"]),
        ("[Music] [Applause]", ["[Music]", "[Applause]"]),
        ("【音楽】", ["【音楽】"]),
    ],
)
def test_what_nobody_says_is_found(text: str, found: list[str]) -> None:
    assert marked(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "I know (and so do you) that.",
        "(He laughed.) Then he went.",
        "It was late. (That is what he told me then) Yes.",
        "five * six",
        "an [open bracket",
        "] [",
        "",
    ],
)
def test_what_may_be_said_is_left(text: str) -> None:
    assert marked(text) == []


def test_it_is_all_or_not() -> None:
    assert is_non_speech(words("[Music] (applause)"), PAUSE)
    assert not is_non_speech(words("[Music] Hello."), PAUSE)
    assert not is_non_speech([], PAUSE)


@given(
    st.lists(st.sampled_from(["[a", "b]", "(c", "d)", "♪", "e.", "f", "*", "[", "]", "*g*", "♪h♪", "|i"]), max_size=60)
)
def test_runs_stand_in_order_and_apart(parts: list[str]) -> None:
    heard = words(" ".join(parts))
    found = runs(heard, PAUSE)
    assert all(0 <= first < last <= len(heard) for first, last in found)
    assert all(before[1] <= after[0] for before, after in zip([(0, 0), *found], found, strict=False))
