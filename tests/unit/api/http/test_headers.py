"""Headers give the requested span, an unchanged version, the required version, and preferences."""

import pytest
from starlette.datastructures import Headers

from octavia.api.http.headers import (
    Preferences,
    RangeNotSatisfiable,
    Span,
    is_unchanged,
    preferences,
    requested_span,
    required_version,
)
from octavia.errors import InputError

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
        ("bytes = 0 - 9 ", Span(0, 10)),
        ("bytes=0-999999999999999999", Span(0, 100)),
        # Not understood, so all of it
        ("bytes=0-1,5-6", None),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("lines=0-1", None),
        ("bytes=a-b", None),
        ("bytes=\xb20-9", None),
        ("bytes=\xa00-9", None),
        ("bytes=0-9999999999999999999", None),
        ("bytes=+0-9", None),
        ("bytes", None),
        ("bytes=5", None),
        ("", None),
    ],
)
def test_a_range_is_the_requested_span(given: str, expected: Span | None) -> None:
    # Given a file of 100 bytes
    assert requested_span(Headers({"range": given}), 100, ETAG) == expected


@pytest.mark.parametrize("given", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_behind_the_end_cannot_be_satisfied(given: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as caught:
        requested_span(Headers({"range": given}), 100, ETAG)
    assert caught.value.headers == {"content-range": "bytes */100"}


def test_a_range_of_another_version_is_not_used() -> None:
    headers = Headers({"range": "bytes=0-9", "if-range": '"other"'})
    assert requested_span(headers, 100, ETAG) is None
    assert requested_span(Headers({"range": "bytes=0-9", "if-range": ETAG}), 100, ETAG) == Span(0, 10)


@pytest.mark.parametrize(
    ("given", "expected"),
    [('"abc"', True), ('"x", "abc"', True), ('W/"abc"', True), ("*", True), ('"abcd"', False), ("abc", False)],
)
def test_a_version_that_the_client_has_is_unchanged(given: str, expected: bool) -> None:
    assert is_unchanged(Headers({"if-none-match": given}), ETAG) is expected


def test_nothing_is_unchanged_without_if_none_match() -> None:
    assert not is_unchanged(Headers({}), ETAG)


@pytest.mark.parametrize(
    ("given", "expected"), [('"1"', "1"), ("1", "1"), ('"12.3"', "12.3"), (" * ", None), ("*", None)]
)
def test_if_match_names_the_required_version(given: str, expected: str | None) -> None:
    assert required_version(Headers({"if-match": given})) == expected


def test_a_required_version_must_be_named() -> None:
    with pytest.raises(InputError) as caught:
        required_version(Headers({}))
    assert (caught.value.code, caught.value.field) == ("precondition_required", "If-Match")


@pytest.mark.parametrize("given", ["", "abc", 'W/"1"', '"1", "2"', '"-1"', '"1"0'])
def test_a_required_version_is_an_etag_of_utterances(given: str) -> None:
    with pytest.raises(InputError) as caught:
        required_version(Headers({"if-match": given}))
    assert (caught.value.code, caught.value.field) == ("invalid_field", "If-Match")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        (["wait=10"], 10),
        (["WAIT = 10"], 10),
        (['wait="10"'], 10),
        (["respond-async, wait=10"], 10),
        (["wait=10; foo=bar"], 10),
        (["return=minimal", "wait=5"], 5),
        (["wait=5, wait=50"], 5),
        (["wait=0"], 0),
        (["wait=999999999"], 300),
        (["wait=-1"], None),
        (["wait=soon"], None),
        (["wait=1.5"], None),
        (["wait"], None),
        (["wait=\u0661"], None),
        (["await=10"], None),
        (["wait=9999999999999999999999999"], None),
    ],
)
def test_preferences_say_how_long_a_client_waits(headers: list[str], expected: int | None) -> None:
    # Given these headers and a longest wait of 300 s, when they are read, then this is what they want
    assert preferences(headers, 300.0).wait == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], False),
        (["wait=10"], False),
        (["respond-async"], True),
        (["Respond-Async"], True),
        (["respond-async; foo=bar, wait=10"], True),
        (['respond-async=""'], True),
        (["return=minimal", "respond-async"], True),
        (["respond-async=no"], False),
        (["respond-asynchronously"], False),
    ],
)
def test_preferences_say_that_a_client_does_not_wait(headers: list[str], expected: bool) -> None:
    assert preferences(headers, 300.0).respond_async is expected


@pytest.mark.parametrize(
    ("wishes", "waited", "ended", "expected"),
    [
        (Preferences(None, False), False, False, None),
        (Preferences(None, True), False, False, "respond-async"),
        (Preferences(None, True), False, True, None),
        (Preferences(10, False), True, True, "wait=10"),
        (Preferences(10, False), True, False, "wait=10"),
        (Preferences(10, True), True, False, "respond-async, wait=10"),
        (Preferences(10, True), True, True, "wait=10"),
        (Preferences(10, False), False, False, None),
    ],
)
def test_applied_preferences_are_named(wishes: Preferences, waited: bool, ended: bool, expected: str | None) -> None:
    # Given these wishes, when they were waited for or not and the job has ended or not, then the answer says so
    assert wishes.applied(waited=waited, ended=ended).get("preference-applied") == expected
