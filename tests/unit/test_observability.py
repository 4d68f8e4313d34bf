import json
import logging
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog

from octavia import observability
from octavia.settings import Settings


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_our_events_and_the_libraries_lines_look_alike(capsys: pytest.CaptureFixture[str]) -> None:
    # Given logs as JSON, and a task in hand
    observability.configure(Settings(log_format="json"))
    structlog.contextvars.bind_contextvars(job_id="j1", stage="translate", attempt=2)
    # When we and a library log
    structlog.get_logger().info("task_started", seconds=1.5)
    logging.getLogger("some.library").warning("it is %s", "late")
    # Then each is one object on one line that names the task
    ours, theirs = _lines(capsys)
    assert (ours["event"], ours["seconds"], ours["level"]) == ("task_started", 1.5, "info")
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("it is late", "some.library", "warning")
    for line in (ours, theirs):
        assert (line["job_id"], line["stage"], line["attempt"]) == ("j1", "translate", 2)
        assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_tells_where_but_not_what_the_variables_held(
    log_format: Literal["json", "console"], capsys: pytest.CaptureFixture[str]
) -> None:
    # Given configured logs, and a variable with something private
    observability.configure(Settings(log_format=log_format))
    private = "".join(["what ", "the user ", "said"])
    # When an exception is logged where it is in scope
    try:
        raise ValueError(len(private))
    except ValueError:
        structlog.get_logger().exception("task_failed")
    # Then the line tells the exception and its place, and nothing private
    text = capsys.readouterr().err
    assert "ValueError" in text
    assert "test_observability.py" in text
    assert private not in text


def test_an_exception_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    # Given logs as JSON
    observability.configure(Settings(log_format="json"))
    # When an exception is logged
    try:
        raise ValueError("wrong")
    except ValueError:
        structlog.get_logger().exception("task_failed")
    # Then its traceback is data
    (line,) = _lines(capsys)
    assert line["exception"][0]["exc_type"] == "ValueError"


def test_what_the_middleware_says_is_not_said_twice(capsys: pytest.CaptureFixture[str]) -> None:
    # Given configured logs
    observability.configure(Settings(log_format="json"))
    # When Dramatiq's worker tells of an exception, and of something else
    worker = logging.getLogger("dramatiq.worker.WorkerThread")
    worker.error("Failed to process message %s with unhandled exception.", "m")
    worker.error("Something else")
    # Then only the latter is kept
    assert [line["event"] for line in _lines(capsys)] == ["Something else"]


def test_the_console_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    # Given logs for a console, from warnings on
    observability.configure(Settings(log_format="console", log_level="warning"))
    # When two events are logged
    structlog.get_logger().info("too_quiet")
    structlog.get_logger().warning("loud", reason="test")
    # Then the warning is there, in plain text
    text = capsys.readouterr().err
    assert "loud" in text
    assert "reason=test" in text
    assert "too_quiet" not in text


def test_a_process_whose_lines_are_passed_on_to_a_terminal_colours_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for forced in ("", "1"):
        monkeypatch.setenv("FORCE_COLOR", forced)
        observability.configure(Settings(log_format="console"))
        structlog.get_logger().info("here")
        assert ("\x1b[" in capsys.readouterr().err) is bool(forced)


def test_neither_keys_nor_what_is_said_to_watchers_are_in_any_log(capsys: pytest.CaptureFixture[str]) -> None:
    # Given logs that say as much as they can
    observability.configure(Settings(log_format="json", log_level="debug"))
    # When the server's libraries tell what came in a WebSocket's headers, and what goes out
    logging.getLogger("uvicorn.error").debug("< authorization: Bearer oct_abcdefgh-and-more")
    logging.getLogger("websockets.server").debug("< authorization: Bearer oct_abcdefgh-and-more")
    logging.getLogger("sse_starlette.sse").debug("chunk: what somebody said")
    logging.getLogger("uvicorn.error").info("started")
    # Then none of that is there
    assert [line["event"] for line in _lines(capsys)] == ["started"]


def test_they_are_as_quiet_as_all_others(capsys: pytest.CaptureFixture[str]) -> None:
    # Given logs of errors only
    observability.configure(Settings(log_format="json", log_level="error"))
    # When these libraries have less to say, Then it is not there
    logging.getLogger("uvicorn.error").info("started")
    logging.getLogger("httpx").warning("odd")
    assert _lines(capsys) == []


def test_addresses_that_clients_name_are_in_no_log(capsys: pytest.CaptureFixture[str]) -> None:
    # Given logs that say as much as they can
    observability.configure(Settings(log_format="json", log_level="debug"))
    # When the HTTP client tells where it went, and something else speaks
    logging.getLogger("httpx").info("HTTP Request: GET https://example.com/?signature=abc")
    logging.getLogger("httpcore.connection").debug("connect_tcp.started host='example.com'")
    logging.getLogger("some.library").debug("here")
    # Then only that is there
    assert [line["event"] for line in _lines(capsys)] == ["here"]


@pytest.mark.parametrize(
    "library",
    [
        *("alembic.runtime.migration", "uvicorn.error", "faster_whisper", "phonemizer", "botocore.credentials"),
        *("aiobotocore.credentials", "huggingface_hub", "dramatiq.worker", "periodiq", "piper.voice", "a.later.one"),
    ],
)
def test_no_library_is_heard_below_a_warning(library: str, capsys: pytest.CaptureFixture[str]) -> None:
    # Given logs as most people have them
    observability.configure(Settings(log_format="json"))
    # When a library tells what it does, and we do
    logging.getLogger(library).info("Context impl PostgresqlImpl.")
    structlog.get_logger("octavia").info("ours")
    # Then only the latter is there
    assert [line["event"] for line in _lines(capsys)] == ["ours"]
    # And to debug, both
    observability.configure(Settings(log_format="json", log_level="debug"))
    logging.getLogger(library).info("Context impl PostgresqlImpl.")
    assert [line["event"] for line in _lines(capsys)] == ["Context impl PostgresqlImpl."]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_line_has_the_login_of_a_url(
    log_format: Literal["json", "console"], capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a library that repeats an address in what it logs and raises
    observability.configure(Settings(log_format=log_format))
    logging.getLogger("some.library").warning("no route to %s", "amqp://octavia:kestrel@rabbit:5672/")
    try:
        raise ValueError("bad address http://octavia:kestrel@proxy")
    except ValueError:
        structlog.get_logger().exception("task_failed", url="sftp://octavia:kestrel@files/x")
    # Then hosts are in the log, and no passwords
    text = capsys.readouterr().err
    assert "kestrel" not in text
    assert all(f"://…@{host}" in text for host in ("rabbit:5672", "proxy", "files"))
    if log_format == "json":
        assert all(json.loads(line) for line in text.splitlines())
