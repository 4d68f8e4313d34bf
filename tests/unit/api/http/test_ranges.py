"""Which part of a file a request wants, and whether it wants any."""

import pytest
from starlette.datastructures import Headers

from octavia.api.http.ranges import RangeNotSatisfiable, Span, is_unchanged, wanted_span

ETAG = '"abc"'


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("bytes=0-9", Span(0, 10)),
        ("bytes=10-", Span(10, 100)),
        ("bytes=-5", Span(95, 100)),
        ("bytes=-500", Span(0, 100)),
        ("bytes=90-1000", Span(90, 100)),
        ("Bytes=0-0", Span(0, 1)),
        # Not understood, so all of it
        ("bytes=0-1,5-6", None),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("lines=0-1", None),
        ("bytes=a-b", None),
        ("", None),
    ],
)
def test_a_range_names_a_part(given: str, expected: Span | None) -> None:
    # Given a file of 100 bytes
    assert wanted_span(Headers({"range": given}), 100, ETAG) == expected


@pytest.mark.parametrize("given", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_behind_the_end_cannot_be_satisfied(given: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as caught:
        wanted_span(Headers({"range": given}), 100, ETAG)
    assert caught.value.headers == {"content-range": "bytes */100"}


def test_a_range_of_another_version_is_not_used() -> None:
    headers = Headers({"range": "bytes=0-9", "if-range": '"other"'})
    assert wanted_span(headers, 100, ETAG) is None
    assert wanted_span(Headers({"range": "bytes=0-9", "if-range": ETAG}), 100, ETAG) == Span(0, 10)


@pytest.mark.parametrize(
    ("given", "expected"),
    [('"abc"', True), ('"x", "abc"', True), ('W/"abc"', True), ("*", True), ('"abcd"', False), ("abc", False)],
)
def test_a_client_that_has_this_version_is_told_so(given: str, expected: bool) -> None:
    assert is_unchanged(Headers({"if-none-match": given}), ETAG) is expected


def test_a_client_that_says_nothing_has_nothing() -> None:
    assert not is_unchanged(Headers({}), ETAG)
