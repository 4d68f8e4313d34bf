"""Rolling captions are said once; what is truly said twice stays twice."""

import pytest

from tests.support.given_cues import codes, fixture, given, timed

Rows = list[tuple[float, float, str]]


def srt(*cues: tuple[float, float, str]) -> str:
    return "".join(f"00:00:{start:06.3f} --> 00:00:{end:06.3f}\n{text}\n\n" for start, end, text in cues)


def test_lines_that_youtube_rolls_are_said_once() -> None:
    found = fixture("rolling.vtt")
    assert [(start, text) for start, _, text in timed(found)] == [
        (0.2, "we start with the map"),
        (2.41, "and then we walk"),
        (5.01, "to the river"),
    ]
    assert min(end - start for start, end, _ in timed(found)) >= 0.5
    assert "captions_joined" in codes(found)


@pytest.mark.parametrize(
    ("cues", "said"),
    [
        pytest.param(
            [(0, 2, "no"), (2, 2.01, "no"), (2.01, 4, "no\nno"), (4, 4.01, "no"), (4.01, 6, "no\nyes")],
            [(0, 2.01, "no"), (2.01, 4.01, "no"), (4.01, 6, "yes")],
            id="the same words twice, as YouTube rolls them",
        ),
        pytest.param(
            [(0, 2, "one"), (2, 4, "one\ntwo"), (4, 6, "one\ntwo\nthree"), (6, 8, "two\nthree\nfour")],
            [(0, 2, "one"), (2, 4, "two"), (4, 6, "three"), (6, 8, "four")],
            id="three lines, as live captions roll them",
        ),
        pytest.param(
            [(0, 2, "one"), (2, 4, "one\ntwo"), (4, 6, "one\ntwo"), (6, 8, "two\nthree"), (8, 9, "three")],
            [(0, 2, "one"), (2, 6, "two"), (6, 9, "three")],
            id="lines that stay",
        ),
        pytest.param(
            [(0, 1, "we"), (1, 2, "we start"), (2, 3, "we start now"), (9, 10, "we")],
            [(0, 3, "we start now"), (9, 10, "we")],
            id="a line that grows",
        ),
        pytest.param(
            [(0, 1, "<u>We</u> start now"), (1, 2, "We <u>start</u> now"), (2, 3, "We start <u>now</u>")],
            [(0, 3, "We start now")],
            id="one word marked after the other",
        ),
        pytest.param(
            [(0, 1, "Stop!"), (1, 2, "Stop!"), (2, 3, "Stop!"), (3, 4, "Stop!\nNow!")],
            [(0, 1, "Stop!"), (1, 2, "Stop!"), (2, 3, "Stop!"), (3, 4, "Stop! Now!")],
            id="said again and again",
        ),
        pytest.param(
            [(0, 1, "Row, row"), (3, 4, "Row, row\nyour boat"), (6, 7, "your boat\ngently")],
            [(0, 1, "Row, row"), (3, 4, "Row, row your boat"), (6, 7, "your boat gently")],
            id="sung again after a pause",
        ),
        pytest.param(
            [(0, 1, "Is it you, Ann?"), (1, 2, "<i>Is it you, Ann?</i>")],
            [(0, 1, "Is it you, Ann?"), (1, 2, "Is it you, Ann?")],
            id="repeated once in another style",
        ),
    ],
)
def test_lines_are_joined_only_where_they_roll(cues: Rows, said: Rows) -> None:
    found = given(srt(*cues))
    assert timed(found) == said
    assert ("captions_joined" in codes(found)) is (len(said) < len(cues))
