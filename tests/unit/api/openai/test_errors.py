import json

import pytest

from octavia.api.http.problems import format_of
from octavia.api.openai.errors import FORMAT, error_response
from octavia.errors import InputError


@pytest.mark.parametrize(
    ("path", "ours"),
    [("/v1/models", True), ("/v1/", True), ("/v1", False), ("/v11/models", False), ("/api/v1/jobs", False)],
)
def test_format_of_returns_openais_errors_only_below_its_prefix(path: str, ours: bool) -> None:
    assert (format_of([FORMAT], path) is FORMAT) is ours


@pytest.mark.parametrize(
    ("status", "sent", "kind", "code"),
    [
        (400, 400, "invalid_request_error", "a_code"),
        (401, 401, "invalid_request_error", "invalid_api_key"),
        (404, 404, "invalid_request_error", "a_code"),
        (413, 413, "invalid_request_error", "a_code"),
        (415, 400, "invalid_request_error", "a_code"),
        (422, 400, "invalid_request_error", "a_code"),
        (429, 429, "requests", "rate_limit_exceeded"),
        (500, 500, "server_error", "a_code"),
        (503, 503, "server_error", "a_code"),
    ],
)
def test_an_error_has_the_status_and_words_that_clients_know(status: int, sent: int, kind: str, code: str) -> None:
    error = InputError("It is wrong.", code="a_code", hint="Mend it.", field="source_language")
    answer = error_response(error, status, {"retry-after": "5"})
    assert (answer.status_code, answer.headers["retry-after"]) == (sent, "5")
    assert json.loads(bytes(answer.body)) == {
        "error": {"message": "It is wrong. Mend it.", "type": kind, "param": "language", "code": code}
    }
