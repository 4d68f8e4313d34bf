"""Errors have the status in the table of problem kinds; nothing that a client sends can break their answers."""

import json
import re
from pathlib import Path

import pytest
from starlette.requests import Request

import octavia
from octavia.api.http.problems import PROBLEM_KINDS, Problem, problem_response, status_of
from octavia.errors import Conflict, InputError, ModelError, NotFound, OctaviaError, TaskFailed, Unavailable
from octavia.storage import StorageFull


@pytest.fixture
def request_() -> Request:
    return Request({"type": "http", "method": "GET", "path": "/x", "query_string": b"", "headers": []})


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InputError("x"), 422),
        (InputError("x", code="new_code"), 422),
        (InputError("x", code="text_too_long"), 413),
        (NotFound("x", code="new_code"), 404),
        (Conflict("x", code="new_code"), 409),
        (Unavailable("x", code="new_code"), 503),
        (StorageFull("x"), 503),
        (ModelError("x"), 422),
        (TaskFailed("x"), 500),
        (OctaviaError("x"), 500),
    ],
)
def test_the_status_follows_from_the_code_or_else_the_class(error: OctaviaError, status: int) -> None:
    assert status_of(error) == status


def test_a_problem_response_has_all_members(request_: Request) -> None:
    request_.state.request_id = "abc"
    answer = problem_response(
        InputError("No such format.", code="unsupported_format", hint="Try wav.", field="formats"), request_
    )
    assert answer.media_type == "application/problem+json"
    # The new count comes only with a count that has changed.
    assert json.loads(bytes(answer.body)).keys() == Problem.model_fields.keys() - {"count"}
    assert json.loads(bytes(answer.body)) == {
        "type": "/problems/unsupported_format",
        "title": "Unsupported format",
        "status": 422,
        "detail": "No such format.",
        "code": "unsupported_format",
        "hint": "Try wav.",
        "field": "formats",
        "instance": "/x",
        "request_id": "abc",
    }


def test_a_problem_response_can_quote_invalid_unicode(request_: Request) -> None:
    answer = problem_response(InputError("The field \ud800.", field="\ud800"), request_)
    assert json.loads(bytes(answer.body))["field"] == "\ud800"


def test_an_unavailable_service_sends_retry_after(request_: Request) -> None:
    assert problem_response(Unavailable("x"), request_).headers["retry-after"].isdigit()
    assert "retry-after" not in problem_response(InputError("x"), request_).headers


def test_every_code_of_the_api_is_in_the_table() -> None:
    # Given every code that the API's own files name
    # But for those of a service that does not start.
    api = Path(octavia.__file__).parent / "api"
    files = [file for file in api.rglob("*.py") if file.name != "listening.py"]
    codes = {code for file in files for code in re.findall(r'\bcode="(\w+)"', file.read_text())}
    # Then each has its status on purpose
    assert len(codes) > 20
    assert codes - PROBLEM_KINDS.keys() == set()
