import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octavia.engines.translation.numbers import garbled, localized, masks, numbers, restored, survive, unmasked


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("In 1984 there were 35 people.", ["1984", "35"]),
        ("It is 1,234,567.5 or so", ["1,234,567.5"]),
        ("at 10:30 on 2020-05-01", ["10", "30", "2020", "05", "01"]),
        ("1\u00a0234\u202f567 francs", ["1\u00a0234\u202f567"]),
        ("version 1.2.3, B12 and 5%.", ["1.2.3", "12", "5"]),
        ("nothing here", []),
    ],
)
def test_a_number_is_its_digits_and_what_stands_between_them(text: str, found: list[str]) -> None:
    assert numbers(text) == found


class TestSurvive:
    @pytest.mark.parametrize(
        ("source", "translation"),
        [
            ("In 1984, 35 people", "35 personas en 1984"),
            ("1,200 dogs", "1.200 perros"),
            ("1,200 dogs", "1200 perros"),
            ("on 05 May", "el 5 de mayo"),
            ("12 apples", "१२ सेब"),
            ("no number", "ningún número"),
        ],
    )
    def test_order_separators_and_script_do_not_matter(self, source: str, translation: str) -> None:
        assert survive(source, translation)

    @pytest.mark.parametrize(
        ("source", "translation"),
        [
            ("35 people", "3 personas"),
            ("35 people", "personas"),
            ("people", "35 personas"),
            ("5 and 5", "5 y 6"),
            ("5 and 5", "5"),
        ],
    )
    def test_a_changed_lost_or_invented_number_does(self, source: str, translation: str) -> None:
        assert not survive(source, translation)


class TestLocalized:
    @pytest.mark.parametrize(
        ("number", "source", "target", "written"),
        [
            ("1,200", "en", "es", "1200"),
            ("1,234,567", "en", "es", "1.234.567"),
            ("1,234.5", "en", "fr", "1234,5"),
            ("3.50", "en", "es", "3,50"),
            ("3,50", "es", "en", "3.50"),
            ("1.234.567,8", "de", "en", "1,234,567.8"),
            ("3.5", "en", "hi", "3.5"),
            ("1234567", "en", "es", "1234567"),
            ("1984", "en", "es", "1984"),
        ],
    )
    def test_separators_become_those_of_the_target(self, number: str, source: str, target: str, written: str) -> None:
        assert localized(number, source, target) == written

    @pytest.mark.parametrize("number", ["192.168.1.10", "1.2.3", "1,2,3", "12,34"])
    def test_what_is_no_plain_number_stays(self, number: str) -> None:
        assert localized(number, "en", "es") == number

    @given(st.integers(0, 10**12), st.sampled_from(["en", "es", "fr", "hi"]), st.sampled_from(["en", "es", "fr", "hi"]))
    def test_there_and_back_keeps_the_value(self, value: int, source: str, target: str) -> None:
        written = f"{value:,}" if source in ("en", "hi") else f"{value:,}".replace(",", ".")
        there = localized(written, source, target)
        assert int(re.sub(r"\D", "", there)) == value
        assert re.sub(r"\D", "", localized(there, target, source)) == str(value)


class TestRestored:
    def test_one_garbled_number_takes_the_one_left_over(self) -> None:
        given_ = "In 1984 there were 35 people and 1,200 dogs."
        assert restored(given_, "En 1984 había 3 personas y 1.200 perros.", "en", "es") == (
            "En 1984 había 35 personas y 1200 perros."
        )

    def test_equal_ones_are_not_moved_when_the_order_changes(self) -> None:
        assert restored("7 of 12 in 1999", "En 1999, 7 de 120", "en", "es") == "En 1999, 7 de 12"

    def test_nothing_is_guessed_when_they_do_not_pair_up(self) -> None:
        assert restored("5 and 6", "7 y 8 y 9", "en", "es") == "7 y 8 y 9"

    @given(st.text(alphabet="ab 0123456789.,:", max_size=60), st.text(alphabet="ab 0123456789.,:", max_size=60))
    def test_only_numbers_are_ever_touched(self, source: str, translation: str) -> None:
        def bare(text: str) -> str:
            return re.sub(r"\d+(?:[.,]\d+)*", "#", text)

        assert bare(restored(source, translation, "en", "es")) == bare(translation)

    @given(st.lists(st.integers(0, 9999), min_size=1, max_size=6), st.randoms())
    def test_as_many_out_as_in_means_all_survive(self, values: list[int], random) -> None:
        garbage = [str(random.randint(0, 9999)) for _ in values]
        source, translation = " and ".join(map(str, values)), " y ".join(garbage)
        assert survive(source, restored(source, translation, "en", "es"))


@pytest.mark.parametrize(
    ("translation", "expected"), [("5 y 6", 0), ("6 y 5", 0), ("5 y 7", 1), ("7 y 8", 2), ("5", None), ("5 6 7", None)]
)
def test_garbled_counts_those_that_differ(translation: str, expected: int | None) -> None:
    assert garbled("5 and 6", translation) == expected


class TestStandIns:
    def test_digits_then_letters(self) -> None:
        assert masks("In 1984 there were 35 dogs.") == [
            ("In 3 there were 4 dogs.", ("3", "4")),
            ("In X there were Y dogs.", ("X", "Y")),
        ]

    def test_english_endings_go_with_their_numbers(self) -> None:
        assert masks("The 21st century and the 1990s")[1][0] == "The X century and the Y"

    def test_a_letter_that_the_text_uses_is_not_a_placeholder(self) -> None:
        assert masks("Plan X costs 35") == [("Plan X costs 3", ("3",))]

    def test_none_fit_more_numbers_than_there_are_signs(self) -> None:
        assert masks(" ".join("12345678")) == []

    def test_the_numbers_come_back_in_any_order(self) -> None:
        source = "In 1984 there were 1,234,567 dogs."
        assert unmasked("Había Y perros en X.", source, ("X", "Y"), "en", "es") == "Había 1.234.567 perros en 1984."
        assert unmasked("Había 4 perros en 3.", source, ("3", "4"), "en", "es") == "Había 1.234.567 perros en 1984."

    @pytest.mark.parametrize(
        "masked", ["En 3 había perros.", "En 3 había 4 de 5.", "En 3 había 44 perros.", "3, 3 y 4"]
    )
    def test_lost_invented_or_doubled_ones_are_refused(self, masked: str) -> None:
        assert unmasked(masked, "In 1984 there were 35 dogs.", ("3", "4"), "en", "es") is None

    @given(st.lists(st.integers(0, 99999), min_size=1, max_size=7))
    def test_a_perfect_copy_restores_every_number(self, values: list[int]) -> None:
        source = " and ".join(map(str, values))
        for masked, signs in masks(source):
            assert unmasked(masked, source, signs, "en", "es") == source


def test_a_number_of_any_length_is_written_as_the_target_does() -> None:
    # Given more digits than Python makes an integer of
    assert localized("1" + ",234" * 2000 + ".5", "en", "es") == "1" + ".234" * 2000 + ",5"
