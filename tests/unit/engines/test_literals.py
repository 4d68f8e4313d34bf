from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octavia.engines.literals import Kind, literals


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("See https://example.com/a?b=1,2.", Kind.URL, ["https://example.com/a?b=1,2"]),
        ("(see http://x.org/y_(z))", Kind.URL, ["http://x.org/y_(z)"]),
        ("example.com or www.foo.es/bar", Kind.URL, ["example.com", "www.foo.es/bar"]),
        ("Mail info@example.org.", Kind.EMAIL, ["info@example.org"]),
        ("Open report.pdf, /etc/hosts and src/main.py", Kind.FILE, ["report.pdf", "/etc/hosts", "src/main.py"]),
        ("README.md and Node.js", Kind.FILE, ["README.md", "Node.js"]),
        ("@octavia and @a_b!", Kind.HANDLE, ["@octavia", "@a_b"]),
        ("#OpenSource #año", Kind.TAG, ["#OpenSource", "#año"]),
    ],
)
def test_they_are_found_without_what_follows(text: str, kind: Kind, found: list[str]) -> None:
    assert [(literal.kind, literal.text) for literal in literals(text)] == [(kind, each) for each in found]


@pytest.mark.parametrize(
    "text", ["So it is.Then", "e.g. this, i.e. 3 p.m.", "U.S. D.C. a.C. EE.UU. 3.14 1.2.3", "and/or", "#5", "3.er", ""]
)
def test_words_and_numbers_are_none(text: str) -> None:
    assert literals(text) == []


@given(st.text(alphabet="ab.@/#: -_?=(),1", max_size=60))
def test_they_stand_in_the_text_in_order(text: str) -> None:
    found = literals(text)
    assert all(text[literal.start : literal.end] == literal.text for literal in found)
    assert all(before.end <= after.start for before, after in pairwise(found))
