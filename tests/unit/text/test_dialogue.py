"""Lines of a dialogue."""

import pytest

from octavia.text.dialogue import joined, turns


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["- Is it late?", "- No, it", "is on time."], "- Is it late?\n- No, it is on time."),
        (["–¿Sí?", "—No."], "–¿Sí?\n—No."),
        (["Is it late?", "- No."], "Is it late?\n- No."),
        (["- It was", "late."], "- It was late."),
        (["It was", "--well--", "-5 degrees."], "It was --well-- -5 degrees."),
        (["One"], "One"),
        ([], ""),
    ],
)
def test_only_lines_of_further_speakers_stay_apart(lines: list[str], text: str) -> None:
    assert joined(lines) == text
    assert "\n".join(dash + words for dash, words in turns(text)) == text


def test_dashes_are_told_from_words() -> None:
    assert turns("- Yes.\n—No.\nWell-known.") == [("- ", "Yes."), ("—", "No."), ("", "Well-known.")]
