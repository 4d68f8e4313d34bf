"""What a client sends as its trace context is continued if it is one, and otherwise as if it were not there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octavia.tracing import trace_id_of, valid_traceparent
from octavia.tracing.context import make_traceparent, parsed

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GIVEN = f"00-{TRACE}-{PARENT}-01"


def test_a_context_is_kept_as_it_came() -> None:
    assert valid_traceparent(GIVEN) == GIVEN
    assert trace_id_of(GIVEN) == TRACE
    assert trace_id_of(None) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        GIVEN[:-1],
        GIVEN + "0",
        GIVEN + "-",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        GIVEN.upper(),
        GIVEN.replace("-", "_"),
        f"00-{TRACE}-{PARENT}-0g",
        f" {GIVEN}",
        f"{GIVEN}\n",
        f"0１-{TRACE}-{PARENT}-01",
        f"01-{TRACE}-{PARENT}-01what",
        "-" * 55,
        GIVEN * 1000,
        None,
        5,
        GIVEN.encode(),
        [GIVEN],
    ],
)
def test_garbage_is_ignored(text: object) -> None:
    assert valid_traceparent(text) is None


def test_a_newer_version_is_read_as_far_as_this_one_goes() -> None:
    assert valid_traceparent(f"01-{TRACE}-{PARENT}-03") == f"00-{TRACE}-{PARENT}-03"
    assert valid_traceparent(f"cc-{TRACE}-{PARENT}-01-what-comes-next") == GIVEN


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 255))
def test_whatever_is_written_can_be_read(trace: int, parent: int, flags: int) -> None:
    written = make_traceparent(trace, parent, flags)
    assert valid_traceparent(written) == written
    assert parsed(written) == (trace, parent, flags)
