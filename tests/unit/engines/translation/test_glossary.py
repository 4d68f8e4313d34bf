from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octavia.engines.translation.glossary import Glossary

TERMS = {"us": "nosotros", "US": "EE. UU.", "cat": "felino", "cat food": "pienso", "don't": "no", "C++": "C++"}


def kept(text: str, terms: dict[str, str]) -> list[tuple[str, str]]:
    return [(text[one.start : one.end], one.written) for one in Glossary(terms).kept(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Cat and CAT", [("Cat", "felino"), ("CAT", "felino")]),
        ("The US gave us it.", [("US", "EE. UU."), ("us", "nosotros")]),
        ("Us", [("Us", "nosotros")]),
        ("cat  food for cats", [("cat  food", "pienso")]),
        ("category, bobcat, cat_1", []),
        ("I don’t. Don't!", [("don’t", "no"), ("Don't", "no")]),
        ("C++, C", [("C++", "C++")]),
    ],
)
def test_terms_are_whole_words_and_the_longest(text: str, expected: list[tuple[str, str]]) -> None:
    assert kept(text, TERMS) == expected


def test_where_no_spaces_part_words_a_term_stands_anywhere() -> None:
    assert kept("私は東京タワーへ", {"東京タワー": "Tokyo Tower"}) == [("東京タワー", "Tokyo Tower")]


@pytest.mark.parametrize(
    ("text", "terms", "expected"),
    [
        ("See https://a.com/cat now", {"cat": "felino"}, [("https://a.com/cat", "https://a.com/cat")]),
        ("Node.js server", {"Node.js server": "servidor"}, [("Node.js server", "servidor")]),
        ("@octavia", {"@octavia": "@octavia_es"}, [("@octavia", "@octavia_es")]),
        ("Mail a@b.org #tag", {}, [("a@b.org", "a@b.org"), ("#tag", "#tag")]),
    ],
)
def test_addresses_are_kept_unless_they_are_terms(
    text: str, terms: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    assert kept(text, terms) == expected


@given(
    st.dictionaries(st.text("ab'. ", min_size=1, max_size=4).filter(str.strip), st.just("x"), max_size=5),
    st.text("ab'. ", max_size=30),
)
def test_what_is_kept_stands_in_order_and_apart(terms: dict[str, str], text: str) -> None:
    found = Glossary(terms).kept(text)
    assert all(before.end <= after.start for before, after in pairwise(found))
