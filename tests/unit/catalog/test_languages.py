import pytest

from octavia.catalog import languages
from octavia.errors import InputError


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("es", "es"),
        ("ES", "es"),
        (" es ", "es"),
        ("es-MX", "es"),
        ("pt_BR", "pt"),
        ("spa", "es"),
        ("Spanish", "es"),
        ("zh-Hant", "zh"),
        ("iw", "he"),
        ("nb-NO", "no"),
        ("yue", "yue"),
    ],
)
def test_tags_and_names_are_normalized(tag: str, code: str) -> None:
    assert languages.normalize(tag) == code


@pytest.mark.parametrize("tag", ["", "  ", "klingonish", "xx", "und", "español y más", "e", "../etc"])
def test_an_unknown_language_is_refused_with_its_field(tag: str) -> None:
    with pytest.raises(InputError) as caught:
        languages.normalize(tag, field="target_language")
    assert caught.value.code == "unknown_language"
    assert caught.value.field == "target_language"
    assert caught.value.hint


def test_a_near_miss_is_named() -> None:
    with pytest.raises(InputError) as caught:
        languages.normalize("spanisch")
    assert "es (Spanish)" in caught.value.hint


def test_every_code_of_the_table_is_its_own() -> None:
    assert {code: languages.normalize(code) for code in languages.NAMES} == {code: code for code in languages.NAMES}
