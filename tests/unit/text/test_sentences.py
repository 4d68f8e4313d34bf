import pytest
import sentencex
from hypothesis import given, settings
from hypothesis import strategies as st

from octavia.text import sentences
from octavia.text.sentences import segment, shorten

LANGUAGES = ["en", "es", "fr", "de", "it", "pt", "ja", "zh", "ru", "ar", "hi", "xx"]


@settings(max_examples=500)
@given(st.text(alphabet="aBM .!?\n\"'()，。…éÉ¿3\u00a0\u202f\u3000’“”«»А", max_size=60), st.sampled_from(LANGUAGES))
def test_the_sentences_joined_are_the_text(text, language):
    assert "".join(segment(text, language)) == text


def test_french_wide_spaces_do_not_stop_the_library():
    # Given a no-break space, on which the library panics in French
    assert [part.strip() for part in segment("C'est vrai\u00a0! M.\u00a0Dupont le dit. Oui.", "fr")][-1] == "Oui."


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "The U.S. government paid $3.50. I met Mr. Brown at 5 p.m. today.", 2),
        ("en", "I met Dr. Watson. He was there with Prof. Moriarty and St. John.", 2),
        ("fr", "M. Dupont est là. Mme. Dupont aussi.", 2),
        ("es", "¿Qué dice? ¡Nada! El Sr. García pagó 3.5 euros.", 3),
        ("ja", "これはペンです。それは本です。", 2),
        ("en", "Title\n\nText", 2),
        ("en", "It ended. but went on.", 1),
    ],
)
def test_sentences_are_found(language, text, expected):
    assert len(segment(text, language)) == expected


def test_a_library_that_panics_or_loses_text_is_replaced_by_plain_rules(monkeypatch):
    # Given a library that loses a letter
    monkeypatch.setattr(sentencex, "segment", lambda language, text: [text[:-1]])
    # Then punctuation decides
    assert sentences.segment("One. Two! Three", "en") == ["One. ", "Two! ", "Three"]


def test_a_panic_of_the_library_is_survived(monkeypatch):
    # Given a text on which the library really panics
    panics = sentencex.segment
    monkeypatch.setattr(sentencex, "segment", lambda language, text: panics("fr", "A\u00a0.A"))
    assert sentences.segment("One. Two", "en") == ["One. ", "Two"]


@given(st.text(max_size=200), st.integers(1, 50))
def test_a_shortened_sentence_loses_nothing(text, longest):
    parts = shorten(text, longest)
    assert "".join(parts) == text
    assert all(0 < len(part) <= longest for part in parts)


def test_a_sentence_is_shortened_between_clauses_first():
    assert shorten("one two, three four five", 14) == ["one two, ", "three four ", "five"]
