"""The event after which a client continues, from a header or the query."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.requests import HTTPConnection

from octavia.api.live.position import position, to_json
from octavia.errors import InputError

JOB = cast(Any, SimpleNamespace(event_seq=12))


def asked(query: str = "", last: str | None = None) -> HTTPConnection:
    headers = [] if last is None else [(b"last-event-id", last.encode("latin-1"))]
    return HTTPConnection({"type": "http", "query_string": query.encode(), "headers": headers})


@pytest.mark.parametrize(
    ("query", "last", "expected"),
    [("", None, 0), ("after=5", None, 5), ("", "7", 7), ("after=5", "7", 7), ("after=5", "0", 0), ("", "12", 12)],
)
def test_the_header_counts_before_the_query(query: str, last: str | None, expected: int) -> None:
    assert position(asked(query, last), JOB) == expected


@pytest.mark.parametrize("last", ["", "x", "-1", "1.0", " 1", "+1", "13", "9" * 9, "9" * 5000, "\u00b2", "1\n2"])
def test_position_refuses_an_event_that_the_job_does_not_have(last: str) -> None:
    with pytest.raises(InputError) as refused:
        position(asked(last=last), JOB)
    assert (refused.value.code, refused.value.field) == ("invalid_event_id", "Last-Event-ID")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("after=13", "invalid_event_id"),
        ("after=-1", "invalid_field"),
        ("after=x", "invalid_field"),
        ("before=1", "unknown_field"),
        ("after=" + "9" * 30, "invalid_event_id"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(query: str, code: str) -> None:
    with pytest.raises(InputError) as refused:
        position(asked(query), JOB)
    assert refused.value.code == code


def test_to_json_escapes_unpaired_surrogates() -> None:
    assert to_json({"text": "¡Hola!\n", "file": "a\udc80"}) == '{"text":"¡Hola!\\n","file":"a\\udc80"}'
