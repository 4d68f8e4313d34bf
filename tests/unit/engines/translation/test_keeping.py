"""Translators that lose things, and what is kept all the same."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octavia.engines.load import keeping


class Shouts:
    """Translates into capitals, and loses whatever ``lost`` matches."""

    def __init__(self, lost: str = "$^") -> None:
        self.lost = re.compile(lost)
        self.asked: list[str] = []

    def translate(self, sentences: Sequence[str], *, beam_size: int = 2) -> list[str]:
        self.asked += sentences
        return [self.lost.sub("", sentence.upper()) for sentence in sentences]

    def alternatives(self, sentences: Sequence[str], *, count: int) -> list[list[str]]:
        found = self.translate(sentences)
        return [[one, f"{one}!"][:count] for one in found]


TEXT = "see https://example.com/a for the cat."


def test_literals_and_terms_are_kept() -> None:
    assert keeping(Shouts(), {"cat": "felino"}, source="en").translate([TEXT, "hello", ""]) == [
        "SEE https://example.com/a FOR THE felino.",
        "HELLO",
        "",
    ]


def test_each_alternative_keeps_them() -> None:
    assert keeping(Shouts(), {"cat": "felino"}, source="en").alternatives([TEXT, "hi"], count=2) == [
        ["SEE https://example.com/a FOR THE felino.", "SEE https://example.com/a FOR THE felino.!"],
        ["HI", "HI!"],
    ]


def test_what_does_not_come_through_is_tried_as_something_else() -> None:
    # Given a model that loses single letters, then digits stand in for what is kept
    model = Shouts(lost=r"\b[XYZ]\b")
    assert keeping(model, {"cat": "felino"}, source="en").translate([TEXT]) == [
        "SEE https://example.com/a FOR THE felino."
    ]
    assert model.asked == ["see X for the Y.", "see 3 for the 4."]


def test_where_nothing_comes_through_the_rest_is_translated_around() -> None:
    model = Shouts(lost=r"\b[A-Z\d]\b")
    assert keeping(model, {"cat": "felino Inc."}, source="en").translate([TEXT]) == [
        "SEE https://example.com/a FOR THE felino Inc.."
    ]


@pytest.mark.parametrize("text", ["https://example.com/a", "@octavia #now!", "cat"])
def test_where_nothing_else_is_said_no_model_is_asked(text: str) -> None:
    model = Shouts()
    assert keeping(model, {"cat": "felino"}, source="en").translate([text]) == [text.replace("cat", "felino")]
    assert model.asked == []


_WORDS = st.sampled_from(
    ["the cat", "X", "3", "a.b@c.org", "so,", "https://x.org/1,2", "@me", "12.5", "Cat", "report.pdf"]
)


@given(st.lists(_WORDS, max_size=12), st.sampled_from(["$^", r"\b[A-Z]\b", r"\b[A-Z\d]\b", r"\w+"]))
def test_nothing_is_ever_lost(words: list[str], lost: str) -> None:
    # Given any sentence, and a model that loses this or that, or all
    text = " ".join(words)
    translation = keeping(Shouts(lost), {"cat": "felino"}, source="en").translate([text])[0]
    # Then what is to be kept is there, as often as it was
    assert translation.count("felino") == sum("cat" in word.lower() for word in words)
    for literal in ("a.b@c.org", "https://x.org/1,2", "@me", "report.pdf"):
        assert translation.count(literal) == words.count(literal)


class Knows:
    """Translates word by word what it knows, and garbles what it does not, each time otherwise."""

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known
        self.garbled = 0

    def translate(self, sentences: Sequence[str], *, beam_size: int = 2) -> list[str]:
        return [" ".join(map(self._word, sentence.split())) for sentence in sentences]

    def alternatives(self, sentences: Sequence[str], *, count: int) -> list[list[str]]:
        return [[one] for one in self.translate(sentences)]

    def _word(self, word: str) -> str:
        if word in self.known or len(word) == 1:
            return self.known.get(word, word)
        self.garbled += 1
        return f"{'KLMNOPRSTU'[self.garbled % 10]}arbled"


def test_names_that_are_garbled_are_kept_and_others_translated() -> None:
    # Given a model that knows a city, and no Willoughby
    known = {"we": "nosotros", "saw": "vimos", "in": "en", "London": "Londres", "and": "y"}
    translator = keeping(Knows(known), {}, source="en")
    # Then that name is copied, and the city has its own
    assert translator.translate(["we saw Willoughby and saw in London"]) == [
        "nosotros vimos Willoughby y vimos en Londres"
    ]


def test_where_every_noun_has_a_capital_none_is_a_name() -> None:
    translator = keeping(Knows({"wir": "we", "sahen": "saw", "das": "the"}), {}, source="de")
    [found] = translator.translate(["wir sahen das Haus"])
    assert found.startswith("we saw the ")
    assert "Haus" not in found
