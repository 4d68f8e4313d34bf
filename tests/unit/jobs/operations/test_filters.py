"""The filter language: what it reads, and what it says of what it cannot read."""

import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octavia.errors import InputError
from octavia.jobs.operations import filters
from octavia.jobs.operations.words import WORDS

Read = tuple[str, str, tuple[Any, ...], bool]


def read(text: str) -> list[Read]:
    return [(term.word.name, term.field, tuple(map(str, term.values)), term.negated) for term in filters.parse(text)]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        ("  \t\n", []),
        ("owner:ann", [("owner", "", ("ann",), False)]),
        ("-status:failed,canceled", [("status", "", ("failed", "canceled"), True)]),
        ("Status:FAILED", [("status", "", ("failed",), False)]),
        ("type:dub  code:no_audio", [("type", "", ("dub",), False), ("code", "", ("no_audio",), False)]),
        ("meta.customer:42", [("meta.", "customer", ("42",), False)]),
        ("meta.a.b:x", [("meta.", "a.b", ("x",), False)]),
        ('meta."two words":"a b","c:d"', [("meta.", "two words", ("a b", "c:d"), False)]),
        ('meta.Customer:""', [("meta.", "Customer", ("",), False)]),
        (r'name:"say \"hi\" \\ "', [("name", "", ('say "hi" \\ ',), False)]),
        ("worker:host1:77:0", [("worker", "", ("host1:77:0",), False)]),
        ("id:0192F000-aBc", [("id", "", ("0192f000abc",), False)]),
        ("interview", [("", "", ("interview",), False)]),
        ('-"two words"', [("", "", ("two words",), True)]),
        ("a,b", [("", "", ("a,b",), False)]),
        ("--a", [("", "", ("-a",), True)]),
    ],
)
def test_it_is_read_as_terms(text: str, terms: list[Read]) -> None:
    assert read(text) == terms


def test_ages_are_older_or_younger() -> None:
    (older, younger) = (term.values[0] for term in filters.parse("age:>2h ended:<30m"))
    assert (older.older, older.than.total_seconds()) == (True, 7200)
    assert (younger.older, younger.than.total_seconds()) == (False, 1800)


@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        ("status:failed ownr:ann", "unknown_filter_word", '"ownr" (character 15)'),
        ("meta.:x", "unknown_filter_word", '"meta." (character 1)'),
        (":x", "unknown_filter_word", '"" (character 1)'),
        ("http://x", "unknown_filter_word", '"http" (character 1)'),
        ("a status:bad", "invalid_filter", '"bad" (character 10)'),
        ("status:failed,bad", "invalid_filter", '"bad" (character 15)'),
        ("owner:", "invalid_filter", '"owner" (character 1) lacks a value'),
        ("owner:a,", "invalid_filter", "lacks a value"),
        ("owner:a,,b", "invalid_filter", "lacks a value"),
        ('meta."x"', "invalid_filter", "lacks a colon"),
        ('owner:"a"b', "invalid_filter", "follows the quote"),
        ('x owner:"a', "invalid_filter", "character 9"),
        ('"a\\', "invalid_filter", "character 1"),
        ("-", "invalid_filter", "character 2"),
        ('""', "invalid_filter", "character 1"),
        ("age:2h", "invalid_filter", '"2h"'),
        ("age:>2", "invalid_filter", '">2"'),
        ("age:>999999w", "invalid_filter", '">999999w"'),
        ("age:>²h", "invalid_filter", '">²h"'),
        ("id:xyz", "invalid_filter", '"xyz"'),
        ("a\0b", "invalid_filter", "NUL"),
        ("a\ud800b", "invalid_filter", "surrogate"),
        ("x" * 1001, "invalid_filter", "1,001"),
        ("a " * 21, "invalid_filter", "20 terms"),
        ("owner:" + "a," * 20 + "a", "invalid_filter", "20 values"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(text: str, code: str, named: str) -> None:
    with pytest.raises(InputError) as refused:
        filters.parse(text)
    assert (refused.value.code, refused.value.field) == (code, "filter")
    assert named in refused.value.message
    assert refused.value.hint


def test_an_unknown_word_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InputError) as refused:
        filters.parse("stats:failed")
    assert "Did you mean status?" in refused.value.hint
    assert all(word in refused.value.hint for word in WORDS)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_any_text_can_be_quoted(values: list[str]) -> None:
    quoted = ",".join('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    assert read(f"owner:{quoted}") == [("owner", "", tuple(values), False)]


@pytest.mark.parametrize("sign", ['"', "\\", ",", "-", ":", " ", "a", "meta.", 'a:"', "age:<", "-a:b,"])
def test_the_longest_filters_take_little_time(sign: str) -> None:
    # Given a filter as long as can be, of a few signs
    longest = sign * (filters.MOST_CHARS // len(sign))
    # When it is read or refused, Then that takes no time worth speaking of
    began = time.process_time()
    for _ in range(20):
        with suppress(InputError):
            filters.parse(longest)
    assert time.process_time() - began < 2
