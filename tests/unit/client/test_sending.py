"""What the clients send, and how they take what comes back, without a server."""

import io
import json
import os
import time
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from octavia.cli.console import exit_code_of
from octavia.client import (
    AccessDenied,
    ApiError,
    AsyncOctavia,
    ConflictError,
    NotFoundError,
    Octavia,
    RequestRefused,
    ServerError,
    TooManyRequests,
    Unreachable,
)
from octavia.errors import InputError

ID = "019dd2c6-0000-7000-8000-000000000000"
JOB = {
    "id": ID,
    "type": "translate",
    "status": "queued",
    "source_language": "en",
    "input": {"kind": "text", "filename": "text.txt", "media_type": "text/plain"},
    "progress": 0.0,
    "run": 1,
    "created_at": "2026-05-01T12:00:00Z",
}
Answer = httpx.Response | Exception


class Script(httpx.MockTransport):
    """Gives the answers in turn, and keeps the requests."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__(self._answer)
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def keys(self) -> set[str]:
        return {request.headers["idempotency-key"] for request in self.requests}


Run = Callable[..., Any]


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    """Calls one method of a client of each kind."""

    async def asynchronous(script: Script, method: str, *args: Any, **options: Any) -> Any:
        async with AsyncOctavia("http://octavia", transport=script) as octavia:
            return await getattr(octavia, method)(*args, **options)

    def synchronous(script: Script, method: str, *args: Any, **options: Any) -> Any:
        with Octavia("http://octavia", transport=script) as octavia:
            return getattr(octavia, method)(*args, **options)

    if request.param == "sync":
        return synchronous
    return lambda *args, **options: anyio.run(lambda: asynchronous(*args, **options))


def problem(status: int, code: str, **headers: str) -> httpx.Response:
    told = {"detail": "It is so.", "code": code, "hint": "Mend it.", "field": "speed", "request_id": "r1"}
    return httpx.Response(status, json=told, headers=headers)


def accepted() -> httpx.Response:
    return httpx.Response(202, json=JOB)


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("refused"),
        httpx.ReadError("broken off"),
        problem(503, "queue_full", **{"Retry-After": "1"}),
        problem(429, "rate_limited", **{"Retry-After": "1"}),
        problem(409, "idempotency_in_progress", **{"Retry-After": "1"}),
    ],
    ids=["refused", "broken off", "503", "429", "in progress"],
)
def test_a_submission_is_sent_again_under_the_same_key(run: Run, trouble: Answer) -> None:
    # Given a server that cannot take the job at first
    script, began = Script(trouble, accepted()), time.monotonic()

    # When a file is submitted
    job = run(script, "submit", "transcribe", file=("talk.wav", b"RIFF"))

    # Then it is sent again, whole, under one key, and not before the server wants it
    assert str(job.id) == ID
    first, second = script.requests
    assert len(script.keys) == 1
    assert first.content == second.content
    assert b"RIFF" in second.content
    if isinstance(trouble, httpx.Response):
        assert time.monotonic() - began >= 1


def test_each_submission_has_a_key_of_its_own_unless_one_is_given(run: Run) -> None:
    script = Script(accepted(), accepted())
    run(script, "submit", "translate", text="Hello.")
    run(script, "submit", "translate", text="Hello.")
    assert len(script.keys) == 2

    script = Script(accepted())
    run(script, "submit", "translate", text="Hello.", idempotency_key="mine")
    assert script.keys == {"mine"}


def test_what_can_be_read_only_once_is_sent_only_once(run: Run) -> None:
    # Given a pipe
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as writer:
        writer.write(b"RIFF")
    script = Script(httpx.ReadError("broken off"), accepted())

    # Then the rest of it is never taken for the whole
    with os.fdopen(reading, "rb") as pipe, pytest.raises(Unreachable):
        run(script, "submit", "transcribe", file=pipe)
    assert len(script.requests) == 1


def test_a_form_says_the_same_as_json(run: Run) -> None:
    fields = {"formats": ["wav", "mp3"], "metadata": {"order": 7}, "start": False, "speed": 1.5, "voice": None}
    script = Script(accepted(), accepted())
    run(script, "submit", "dub", text="Hello.", **fields)
    run(script, "submit", "dub", file=io.BytesIO(b"RIFF"), **fields)

    in_json, form = script.requests
    assert json.loads(in_json.content) == {
        "type": "dub",
        "text": "Hello.",
        "formats": ["wav", "mp3"],
        "metadata": {"order": 7},
        "start": False,
        "speed": 1.5,
    }
    for name, value in {"formats": "wav,mp3", "metadata": '{"order": 7}', "start": "false", "speed": "1.5"}.items():
        assert f'name="{name}"\r\n\r\n{value}\r\n'.encode() in form.content
    assert b'filename="media"' in form.content


@pytest.mark.parametrize(
    ("status", "kind", "exit_code"),
    [
        (401, AccessDenied, 2),
        (403, AccessDenied, 2),
        (404, NotFoundError, 2),
        (409, ConflictError, 2),
        (410, NotFoundError, 2),
        (422, RequestRefused, 2),
        (500, ServerError, 1),
    ],
)
def test_a_problem_is_an_exception_that_says_all(run: Run, status: int, kind: type[ApiError], exit_code: int) -> None:
    with pytest.raises(kind) as raised:
        run(Script(problem(status, "not_so")), "get", ID)
    error = raised.value
    assert (error.status, error.code, error.message, error.hint) == (status, "not_so", "It is so.", "Mend it.")
    assert (error.field, error.request_id) == ("speed", "r1")
    assert exit_code_of(error) == exit_code


def test_what_lasts_is_an_error_in_the_end() -> None:
    for answer, kind in ((problem(429, "rate_limited", **{"Retry-After": "7"}), TooManyRequests), (None, Unreachable)):
        script = Script(answer or httpx.ConnectError("refused"))
        with Octavia("http://octavia", retries=0, transport=script) as octavia, pytest.raises(kind) as raised:
            octavia.get(ID)
        assert answer is None or raised.value.retry_after == 7  # type: ignore[attr-defined]


@pytest.mark.parametrize(("status", "code"), [(403, "http_403"), (200, "unexpected_answer")])
def test_the_page_of_a_proxy_is_no_answer(run: Run, status: int, code: str) -> None:
    with pytest.raises(ApiError) as raised:
        run(Script(httpx.Response(status, text="<html>Proxy</html>")), "get", ID)
    assert raised.value.code == code


def test_a_deletion_that_is_sent_again_finds_nothing_and_is_done(run: Run) -> None:
    run(Script(httpx.ReadError("broken off"), problem(404, "job_not_found")), "delete", ID)
    with pytest.raises(NotFoundError):
        run(Script(problem(404, "job_not_found")), "delete", ID)


def test_a_newer_server_is_understood(run: Run) -> None:
    newer = JOB | {"status": "paused", "stage": "lipsync", "mood": "good", "error": None}
    job = run(Script(httpx.Response(200, json=newer)), "get", ID)
    assert (job.status, job.stage, job.ended) == ("paused", "lipsync", False)


def test_a_name_that_is_no_id_is_not_sent(run: Run) -> None:
    with pytest.raises(InputError, match="not the id of a job"):
        run(Script(), "get", "../keys")


def test_the_key_goes_with_every_request() -> None:
    script = Script(accepted())
    with Octavia("http://octavia/", "oct_secret", transport=script) as octavia:
        octavia.get(ID)
    (request,) = script.requests
    assert request.headers["authorization"] == "Bearer oct_secret"
    assert request.url == f"http://octavia/api/v1/jobs/{ID}"


def test_utterances_are_all_of_one_revision(run: Run) -> None:
    def page(revision: int, *ids: str, run: str = "", more: bool = False) -> httpx.Response:
        rows = [{"id": id, "source": f"{id} of {revision}"} for id in ids]
        cursor = ids[-1] if more else None
        content = {"utterances": rows, "revision": revision, "next_cursor": cursor}
        return httpx.Response(200, json=content, headers={"etag": f'"{revision}{run}"'})

    # Given a job that is mended while its utterances are read, page after page
    script = Script(page(1, "0-0", more=True), page(2, "0-1"), page(2, "0-0", more=True), page(2, "0-1"))
    # When they are read
    found = run(script, "utterances", ID)
    # Then they are read again from the first, and all are of the later revision
    assert (found.revision, [one.source for one in found.utterances]) == (2, ["0-0 of 2", "0-1 of 2"])
    assert [request.url.params.get("cursor") for request in script.requests] == [None, "0-0", None, "0-0"]


def test_an_edit_whose_answer_got_lost_is_sent_again_as_it_was(run: Run) -> None:
    # Given a connection that breaks once
    script = Script(httpx.ReadError("gone"), httpx.Response(202, json=JOB))
    # When a line is mended
    run(script, "edit", ID, {"0-3": {"translation": None}}, etag='"4"')
    # Then both requests are one to the server
    assert len(script.keys) == 1
    for request in script.requests:
        assert (request.method, request.headers["if-match"]) == ("PATCH", '"4"')
        assert json.loads(request.content) == {"utterances": [{"id": "0-3", "translation": None}]}
