import pytest
from hypothesis import given
from hypothesis import strategies as st

from octavia.text.lines import columns, letters, pieces


def texts(text: str) -> list[str]:
    return [piece.text for piece in pieces(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one  two-three\nfour", ["one", "two-three", "four"]),
        ("これはペンです。", ["こ", "れ", "は", "ペ", "ン", "で", "す。"]),
        ("「はい」、Python 3を", ["「は", "い」、", "Python", "3", "を"]),
        ("カップケーキ", ["カッ", "プ", "ケー", "キ"]),
        ("２０２６年", ["２０２６", "年"]),
        ("안녕하세요 여러분", ["안녕하세요", "여러분"]),
        ("เป็นเด็กดี", ["เป็", "น", "เด็", "ก", "ดี"]),
        ("ຂ້ອຍຮັກ", ["ຂ້", "ອ", "ຍ", "ຮັ", "ກ"]),
        ("ភាសាខ្មែរ", ["ភា", "សា", "ខ្មែ", "រ"]),
        ("မြန်မာ", ["မြန်", "မာ"]),
        ("ខ្ញុំ\u200bទៅ", ["ខ្ញុំ", "ទៅ"]),
        ("👩\u200d🚀!", ["👩\u200d🚀!"]),
    ],
)
def test_words_are_whole_and_scripts_without_spaces_are_parted_between_letters(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


def test_a_space_parts_words_and_none_parts_letters() -> None:
    assert [piece.spaced for piece in pieces("ab 字字 c")] == [True, True, False, True]


def test_wide_letters_take_two_columns_and_marks_none() -> None:
    assert [columns(text) for text in ("abc", "字。", "e\u0301", "ｱ", "안", "ที่")] == [3, 4, 1, 1, 2, 1]


def test_what_no_format_can_say_is_dropped() -> None:
    assert texts("nul\x00and\x07 \ud800\ufffe x") == ["nuland", "x"]


@given(st.text())
def test_no_letter_is_lost(text: str) -> None:
    # The count is how the times of recognised words find the letters of a text
    assert sum(len(piece) for piece in texts(text)) == letters(text)
