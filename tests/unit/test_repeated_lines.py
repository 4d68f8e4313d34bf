import io
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from octavia.repeated_lines import CountingHandler
from tests.support.waiting import until

LONG = 600.0


@pytest.fixture
def told() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def make(told: io.StringIO) -> Iterator[Callable[[float], logging.Logger]]:
    """Makes a logger that writes three lines of a kind in so many seconds."""
    handlers = []

    def logger(seconds: float) -> logging.Logger:
        handler = CountingHandler(told, first=3, seconds=seconds)
        handler.setFormatter(_Plain())
        handlers.append(handler)
        logger = logging.Logger("a.library")
        logger.addHandler(handler)
        return logger

    yield logger
    for handler in handlers:
        handler.close()


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record.msg, dict):
            return str(record.msg)
        return f"{super().format(record)} {getattr(record, 'repeated', '')}".rstrip()


def test_what_is_said_again_and_again_takes_a_few_lines_and_a_count(
    make: Callable[[float], logging.Logger], told: io.StringIO
) -> None:
    # Given an error that is logged in a loop, with values and a traceback
    logger = make(0.2)
    try:
        raise OSError("Too many open files")
    except OSError as error:
        for number in range(1000):
            logger.error("no accept: socket %d", number, exc_info=error)
    # Then the first ones are there as they are, and, though nothing more is said, how many followed
    until(lambda: _told_of(told) == 1000)
    lines = _lines(told)
    assert lines[:3] == [f"no accept: socket {number}" for number in range(3)]
    assert lines[-1].startswith("no accept: socket 999")
    assert len(lines) < 100
    # And only those have tracebacks
    assert told.getvalue().count("Traceback") == sum(len(line.split()) == 4 for line in lines)
    # And when it happens again later, it is said again
    logger.error("no accept: socket %d", 5)
    until(lambda: _lines(told)[-1].startswith("no accept: socket 5"))


def _lines(told: io.StringIO) -> list[str]:
    return [line for line in told.getvalue().splitlines() if line.startswith("no accept")]


def _told_of(told: io.StringIO) -> int:
    """The number of errors in the lines: one each, or the count at the end. A slow machine counts in parts."""
    return sum(int((*line.split(), 1)[4]) for line in _lines(told))


def test_one_kind_hides_no_other(make: Callable[[float], logging.Logger], told: io.StringIO) -> None:
    # Given one kind that repeats
    logger = make(LONG)
    for _ in range(10):
        logger.error("loud")
    # When others speak, Then they are heard, and so is whatever is no warning
    logger.warning("loud")
    logger.error("other")
    for _ in range(10):
        logger.info("info")
    assert told.getvalue().split() == ["loud"] * 4 + ["other"] + ["info"] * 10


def test_each_job_is_told_of(make: Callable[[float], logging.Logger], told: io.StringIO) -> None:
    # Given events of ours: many jobs that fail, and something that has no job
    logger = make(LONG)
    for number in range(10):
        logger.warning({"event": "task_failed", "job_id": number})
        logger.warning({"event": "crashed", "request_id": number})
    # Then each job has its line
    assert told.getvalue().count("task_failed") == 10
    assert told.getvalue().count("crashed") == 3


def test_what_is_held_is_told_at_the_end(make: Callable[[float], logging.Logger], told: io.StringIO) -> None:
    logger = make(LONG)
    for _ in range(5):
        logger.warning({"event": "crashed", "exc_info": None})
    (handler,) = logger.handlers
    handler.close()
    assert told.getvalue().splitlines()[-1] == "{'event': 'crashed', 'repeated': 2}"


def test_kinds_without_end_fill_no_memory(make: Callable[[float], logging.Logger], told: io.StringIO) -> None:
    # Given a library that puts values into its messages itself
    logger = make(LONG)
    started = time.process_time()
    for number in range(5000):
        logger.warning(f"odd request {number}")
    # Then the first thousand kinds are told of, and the others share a count
    assert told.getvalue().count("odd request") == 1000 + 3
    assert time.process_time() - started < 10
    held: Any = logger.handlers[0]
    assert len(held._kinds) <= 1001
