"""A form gives the same parts, however it is cut into packets."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octavia.api.http.forms import OVERHEAD, Field, FieldStart, FileData, FileStart, FormReader
from octavia.errors import InputError

TYPE = "multipart/form-data; boundary=xyz"


def part(name: str, value: bytes, filename: str | None = None, headers: str = "") -> bytes:
    disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename is not None else "")
    return f"--xyz\r\nContent-Disposition: {disposition}\r\n{headers}\r\n".encode() + value + b"\r\n"


END = b"--xyz--\r\n"


def read(form: bytes, cuts: list[int] | None = None) -> list[object]:
    """The parts of a form that comes in pieces; data that was cut is joined again."""
    reader = FormReader(TYPE, file="file")
    parts: list[object] = []
    edges = [0, *sorted(cuts or []), len(form)]
    for start, end in pairwise(edges):
        for item in reader.feed(form[start:end]):
            if isinstance(item, FileData) and parts and isinstance(parts[-1], FileData):
                parts[-1] = FileData(parts[-1].data + item.data)
            else:
                parts.append(item)
    reader.close()
    return parts


FORM = (
    part("type", b"dub")
    + part("file", b"\r\n--xy\r\n--xyz!\0\xff\r\n", "r\u00e9sum\u00e9.wav", "Content-Type: audio/wav\r\n")
    + part("metadata", '{"ä": 1}'.encode(), "meta.json")
    + END
)
PARTS = [
    FieldStart("type"),
    Field("type", "dub"),
    FileStart("r\u00e9sum\u00e9.wav", "audio/wav"),
    FileData(b"\r\n--xy\r\n--xyz!\0\xff\r\n"),
    FieldStart("metadata"),
    Field("metadata", '{"ä": 1}'),
]


def test_feed_yields_parts_in_order() -> None:
    assert read(FORM) == PARTS


@pytest.mark.parametrize("end", [b"--xyz--", b"--xyz--\r\n", b"--xyz-- \t\r\n", b"--xyz--\r"])
def test_a_form_may_end_with_its_line(end: bytes) -> None:
    assert read(FORM.removesuffix(END) + end) == PARTS


@given(st.lists(st.integers(0, len(FORM) + 1), max_size=20))
def test_bytes_after_the_end_are_refused_for_any_packets(cuts: list[int]) -> None:
    with pytest.raises(InputError, match="bytes follow its end"):
        read(FORM + b"x", cuts)


def test_a_form_with_its_last_line_within_a_part_is_refused() -> None:
    # Given a part whose header begins like that line, which RFC 2046 forbids
    form = b"--xyz\r\n--xyz--: 1\r\nContent-Disposition: form-data; name=type\r\n\r\ndub\r\n" + END
    with pytest.raises(InputError, match="bytes follow its end"):
        read(form)


@pytest.mark.parametrize(
    ("start", "filler"),
    [(b"", b"\r\n"), (part("file", b"x" * 2 * OVERHEAD, "a.wav") + b"--xyz", b" ")],
    ids=["before-the-first-part", "between-parts"],
)
def test_a_form_has_only_so_many_bytes_beside_its_file(start: bytes, filler: bytes) -> None:
    # Given a form that goes on and on beside its file, which may be larger
    reader = FormReader(TYPE, file="file")
    list(reader.feed(start + filler * (OVERHEAD // len(filler) - 200)))
    # When it has a megabyte of that, then there is an end to it
    with pytest.raises(InputError) as caught:
        list(reader.feed(filler * 300))
    assert caught.value.code == "body_too_large"


@given(st.lists(st.integers(0, len(FORM)), max_size=20))
def test_feed_yields_the_same_parts_for_any_packets(cuts: list[int]) -> None:
    assert read(FORM, cuts) == PARTS


def test_a_file_may_be_empty() -> None:
    assert read(part("file", b"", "a.wav") + END) == [FileStart("a.wav", "")]


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        (b"", "its end is missing"),
        (part("type", b"dub"), "its end is missing"),
        (part("file", b"abc", "a.wav")[:-5], "its end is missing"),
        (b"no form at all", "boundary"),
        (b"--xyz\r\nContent-Disposition: form-data\r\n\r\nx\r\n" + END, "a part has no name"),
        (b"--xyz\r\n\r\nx\r\n" + END, "a part has no name"),
        (b"--xyz\r\nBad Header: x\r\n\r\nx\r\n" + END, "invalid character"),
        (b"--xyz\r\nX: " + b"y" * 10_000 + b"\r\n\r\nx\r\n" + END, "header size"),
        (part("type", b"\xff") + END, "is not UTF-8"),
        (b"".join(part(f"field{number}", b"") for number in range(65)) + END, "more than 64 parts"),
        (FORM + b"x", "bytes follow its end"),
        (FORM + b"\r\n", "bytes follow its end"),
        (FORM + FORM, "bytes follow its end"),
        (FORM[:-2] + b"x\r\n", "bytes follow its end"),
        (FORM[:-2] + b"\n", "bytes follow its end"),
        (FORM[:-2] + b" " * 300, "bytes follow its end"),
        (END + b"x", "bytes follow its end"),
    ],
)
def test_a_broken_form_is_refused_with_a_reason(form: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=f"(?i){reason}") as caught:
        read(form)
    assert caught.value.code == "bad_multipart"


def test_a_field_that_is_too_long_is_refused() -> None:
    # Given a field that does not end
    reader = FormReader(TYPE, file="file")
    list(reader.feed(b'--xyz\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n'))
    for _ in range(16):
        list(reader.feed(b"x" * 1000))
    # When it grows and grows, then it is refused, and named
    with pytest.raises(InputError) as caught:
        list(reader.feed(b"x" * 1000))
    assert (caught.value.code, caught.value.field) == ("field_too_long", "prompt")


def test_a_glossary_may_be_as_long_as_the_longest() -> None:
    # Given two hundred terms of a hundred characters that a client wrote as escapes
    terms = {f"{number:03}" + "é" * 97: "é" * 100 for number in range(200)}
    form = part("glossary", json.dumps(terms).encode()) + END
    # Then they come through
    [_, field] = read(form)
    assert isinstance(field, Field)
    assert json.loads(field.value) == terms


@pytest.mark.parametrize("header", ["multipart/form-data", f"multipart/form-data; boundary={'x' * 300}"])
def test_a_boundary_is_needed(header: str) -> None:
    with pytest.raises(InputError) as caught:
        FormReader(header, file="file")
    assert caught.value.code == "bad_multipart"
