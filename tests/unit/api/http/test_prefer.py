"""What ``Prefer`` headers mean."""

import pytest

from octavia.api.http.prefer import Preferences, preferences


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
def test_the_seconds_that_a_client_is_willing_to_wait(headers: list[str], expected: int | None) -> None:
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
def test_whether_a_client_would_rather_not_wait(headers: list[str], expected: bool) -> None:
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
def test_what_was_applied_is_said(wishes: Preferences, waited: bool, ended: bool, expected: str | None) -> None:
    # Given these wishes, when they were waited for or not and the job has ended or not, then the answer says so
    assert wishes.applied(waited=waited, ended=ended).get("preference-applied") == expected
