import pytest

from octavia.engines.translation.names import absent, are_copied, candidates, roots


@pytest.mark.parametrize(
    ("text", "language", "found"),
    [
        ("Yesterday Anna met her old friend Willoughby there. Then we saw Bob.", "en", ["Anna", "Willoughby", "Bob"]),
        ("She said: Hello, and NASA heard it.", "en", []),
        ("The Long Road Home Again", "en", []),
        ("gestern sah sie das Haus von Anna", "de", []),
        ("", "en", []),
    ],
)
def test_names_have_a_capital_where_none_is_needed(text: str, language: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in candidates(text, language)] == found


def test_a_name_is_there_as_a_whole_word_or_not() -> None:
    assert absent(["Anna", "Bob"], "Annas Bob") == {"Anna"}


def test_what_becomes_the_same_alone_is_translated() -> None:
    assert roots("Alemán.") & roots("los alemanes")
    assert not roots("Wardby.") & roots("La casa de Hattsby")


def test_names_are_not_copied_into_another_script() -> None:
    assert are_copied("I live in London.", "Vivo en Londres.")
    assert not are_copied("I live in London.", "मैं लंदन में रहता हूँ।")
