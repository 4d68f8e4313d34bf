import pytest
from hypothesis import given
from hypothesis import strategies as st

from octavia.engines.spoken import speakable


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hello ❤️ there 👍🏽", "Hello there"),
        ("say [[h@loU]] now", "say h@loU now"),
        ("<b>Bold</b> &amp; <i class='x'>so</i>", "Bold & so"),
        ("&lt;script&gt;no&lt;/script&gt;", "no"),
        ('<speak>one<break time="1s"/>two</speak>', "one two"),
        ("{\\an8}Up <00:00:01.000><c>there</c>", "Up there"),
        ("**Strong** and [a link](https://example.com)", "Strong and a link"),
        ("…", ""),
        ("—!?", ""),
        ("😀", ""),
        ("<br>", ""),
        ("  ", ""),
    ],
)
def test_markup_and_pictures_are_silent_in_every_language(language: str, text: str, said: str) -> None:
    assert speakable(text, language).replace(" and ", " & ") == said.replace(" and ", " & ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Dice 谢谢 a Ann", "Dice a Ann"),
        ("Ella dijo Привет, y مرحبا.", "Ella dijo , y ."),
        ("नमस्ते", ""),
        ("caf\ufffd → \ue000 ♪", "caf"),
        ("α, café, Łódź, cafe\u0301, １", "α, café, Łódź, cafe\u0301, １"),
    ],
)
def test_what_no_voice_can_read_is_silent(text: str, said: str) -> None:
    assert speakable(text, "fr") == said


def test_other_scripts_have_their_own_voices() -> None:
    assert speakable("नमस्ते Ann", "hi") == "नमस्ते Ann"


@pytest.mark.parametrize(
    ("language", "said"),
    [("fr", "Voir example point fr slash a, 12 km"), ("ja", "Voir example fr a, 12 km")],
)
def test_other_languages_keep_their_digits(language: str, said: str) -> None:
    assert speakable("Voir https://www.example.fr/a, 12 km", language) == said


_NASTY = st.text(alphabet="ab .,:;-–/+%$€°º½@#<>&()[]{}*_'\"0123456789hmsXVIDr", max_size=80)


@given(_NASTY, st.sampled_from(["en", "es"]))
def test_no_digit_is_left_to_the_voice(text: str, language: str) -> None:
    assert not any(sign.isdecimal() for sign in speakable(text, language))


@pytest.mark.parametrize(
    ("language", "text", "said"),
    [
        ("en", "0.0000001", "zero point zero zero zero zero zero zero one"),
        ("es", "0,0000001", "cero coma cero cero cero cero cero cero uno"),
        ("en", "No.5 and #1", "number five and number one"),
        ("es", "nº5 y #1", "número cinco y número uno"),
    ],
)
def test_what_stands_close_to_a_number_is_said_too(language: str, text: str, said: str) -> None:
    assert speakable(text, language) == said


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("written", ["{}", "{}th", "{} ½", "v1.2.{}", "${}", "${}.50", "{} 1/2", "{} km", "-{}"])
def test_numbers_of_any_length_are_read_digit_by_digit(written: str, language: str) -> None:
    # Given a number of more digits than Python makes an integer of
    text = written.format("9" * 5000)
    # Then it is read nevertheless
    assert speakable(text, language).count({"en": "nine", "es": "nueve"}[language]) >= 5000
