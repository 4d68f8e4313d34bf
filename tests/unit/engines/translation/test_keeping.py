"""Translators that lose things, and what is kept all the same."""

import re
import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from octavia.engines.load import keeping


class Shouts:
    """Translates into capitals, and loses whatever ``lost`` matches; reads and writes ASCII, but writes no ``+``."""

    def __init__(self, lost: str = "$^") -> None:
        self.lost = re.compile(lost)
        self.asked: list[str] = []

    def reads(self, text: str) -> bool:
        return text.isascii()

    def writes(self, text: str) -> bool:
        return text.isascii() and "+" not in text

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

    def reads(self, text: str) -> bool:
        return True

    def writes(self, text: str) -> bool:
        return True

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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("if 3 < 8, go → settings", "IF 3 < 8, GO → SETTINGS"),
        ("it is 5 ≤ 6", "IT IS 5 ≤ 6"),
        ("thanks 🙏 see you!", "THANKS 🙏 SEE YOU!"),
        ("the family 👨‍👩‍👧 of 🇪🇸 👍🏽", "THE FAMILY 👨‍👩‍👧 OF 🇪🇸 👍🏽"),
        ("♪ la la ♪", "♪ LA LA ♪"),
        ("i❤ny and 5★ and cafe\ufffd", "i❤ny AND 5★ AND cafe\ufffd"),
        ("tom says 谢谢 and Привет мир.", "TOM SAYS 谢谢 AND Привет мир."),
        ("müller's house, naïve", "müller'S HOUSE, naïve"),
        ("cafe\u0301 at 20 m²", "cafe\u0301 AT 20 m²"),
        ("windows™ © 2031, ½ cup", "windows™ © 2031, ½ CUP"),
        ("it costs €5 or ₿0.5", "IT COSTS €5 OR ₿0.5"),
        ("he said «yes».", "HE SAID «YES»."),
        ("• first, § 5", "• FIRST, § 5"),
        ("a bell\x07 and half\ud83d a pair", "A BELL AND HALF A PAIR"),
        ("α, β", "α, β"),
        ("🙏", "🙏"),
    ],
)
def test_what_the_model_cannot_read_is_kept(text: str, expected: str) -> None:
    # Given a model that reads nothing but ASCII, and that copies placeholders
    model = Shouts()
    # When a sentence with other signs is translated
    [found] = keeping(model, {}, source="en").translate([text])
    # Then they are where they were, and the model saw none of them
    assert found == expected
    assert all(sentence.isascii() for sentence in model.asked)


def test_a_sign_that_the_model_cannot_write_is_kept_if_it_is_lost() -> None:
    # Given a model that reads "+" but loses it, in a word and alone
    model = Shouts(lost=r"\+")
    assert keeping(model, {}, source="en").translate(["use c++ now", "1 + 2 is 3", "a cat"]) == [
        "USE c++ NOW",
        "1 + 2 IS 3",
        "A CAT",
    ]
    # And if it loses placeholders too, then the rest is translated around them
    model = Shouts(lost=r"\+|\b[A-Z\d]\b")
    assert keeping(model, {}, source="en").translate(["use c++ now"]) == ["USE c++ NOW"]
    # Then one that it copies costs no second translation
    kept = Shouts()
    assert keeping(kept, {}, source="en").translate(["use c++ now"]) == ["USE C++ NOW"]
    assert kept.asked == ["use c++ now"]


_SIGNS = st.text(
    st.one_of(st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zs", "Zl", "Zp", "Mn", "Mc", "Me")), st.just("a")),
    max_size=5,
)


@example(["À", "#¼"], "$^")
@example(["×", "#A×A"], "$^")
@given(st.lists(_SIGNS, max_size=8), st.sampled_from(["$^", r"\b[A-Z]\b", r"\b[A-Z\d]\b"]))
def test_the_model_sees_only_what_it_reads_and_no_other_sign_is_lost(words: list[str], lost: str) -> None:
    # Given any words of any signs, and a model that reads only ASCII
    text = " ".join(words)
    model = Shouts(lost)
    # When they are translated
    [found] = keeping(model, {}, source="en").translate([text])
    # Then no other sign is in what the model is given, nor lost, nor made up; a first letter may have changed its case
    asked = "".join(model.asked)
    for sign in {*text, *found} - set("‘’‚‛“”„‟…—―–‐‑\ufffd"):
        if not unicodedata.normalize("NFKC", sign).isascii():
            assert sign not in asked, (sign, text)
            assert found.lower().count(sign.lower()) == text.lower().count(sign.lower()), (sign, text, found)
    assert found.count("\ufffd") == text.count("\ufffd")
