"""What ``Prefer`` headers mean."""

import pytest

from octavia.api.prefer import wait_seconds


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
    assert wait_seconds(headers, 300.0) == expected
