import json
from pathlib import Path
from typing import Any

import pytest

from octavia.errors import InputError
from octavia.text import glossaries


def test_space_around_is_no_part_of_a_term() -> None:
    assert glossaries.checked({" cat ": "\tfelino "}) == {"cat": "felino"}
    assert glossaries.checked({}) == {}


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        (["cat"], "no[t]? a JSON object"),
        ({"cat": 5}, "translation of 'cat' in the glossary is not a string"),
        ({"cat": ""}, "0 characters"),
        ({"  ": "felino"}, "0 characters"),
        ({"c" * 101: "felino"}, "101 characters"),
        ({"cat": "c" * 101}, "101 characters"),
        ({"a\nb": "c"}, "control character"),
        ({"a": "\ud800"}, "surrogate"),
        ({"...": "puntos"}, "no letter"),
        ({"cat": "a", "cat ": "b"}, "twice"),
        ({str(number): "a" for number in range(201)}, "more than 200"),
    ],
)
def test_what_is_no_glossary_is_said(terms: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        glossaries.checked(terms)
    assert (caught.value.code, caught.value.field) == ("invalid_field", "glossary")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("terms.json", json.dumps({"cat": "felino", "a, b": "c"})),
        ("terms.csv", '\ufeffcat,felino\r\n\r\n"a, b",c\r\n'),
        ("terms.TSV", "cat\tfelino\na, b\tc\n"),
    ],
)
def test_a_file_holds_one(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert glossaries.read(path) == {"cat": "felino", "a, b": "c"}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("terms.json", b"{", "not JSON"),
        ("terms.csv", b"cat\n", "1 columns in line 1"),
        ("terms.csv", b"a,b\ncat,felino,x\n", "3 columns in line 2"),
        ("terms.csv", b'"a,b\n', "line 1"),
        ("terms.csv", b"\xef\xbb\xbfa,b\r\r\rcat,felino,x\r", "3 columns in line 4"),
        ("terms.csv", b"a,b\r\n\r\ncat,felino,x\r\n", "3 columns in line 3"),
        ("terms.csv", "a\x0c,b\u2028\x85\ncat,felino,x\n".encode(), "in line [12]"),
        ("terms.csv", b'a,"b\nc"\ncat,felino,x\n', "in line 1"),
        ("terms.csv", b'"a, b",b\n\ncat,felino,"x\ny"\n', "3 columns in line 3"),
        ("terms.json", b'{"a": "b",\r"cat" "felino"}', "line 2 column"),
        ("terms.txt", b"cat,felino\n", "not JSON"),
        ("terms.json", b"\xff", "not UTF-8"),
        ("terms.json", b" " * (1024 * 1024 + 1), "larger"),
    ],
)
def test_a_file_that_holds_none_is_said(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=reason) as caught:
        glossaries.read(path)
    assert caught.value.code in ("glossary_unreadable", "invalid_field")


@pytest.mark.parametrize("line", ["...,puntos", "b,", "a,again", "c\x07,d"])
def test_a_term_that_is_wrong_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "terms.csv"
    path.write_bytes(f"a,x\r\n\r\n{line}\r\n".encode())
    with pytest.raises(InputError, match="in line 3"):
        glossaries.read(path)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        glossaries.read(tmp_path / "terms.json")
