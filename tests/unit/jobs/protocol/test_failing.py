"""How long until the next attempt, and what an exception says about it."""

import errno
from uuid import uuid4

import pytest

from octavia.errors import InputError, OctaviaError, TaskFailed, TimeLimitExceeded
from octavia.jobs.protocol.failing import delay_before_next, tries
from octavia.jobs.tables.records import Failure
from octavia.jobs.tables.rows import Task
from octavia.jobs.tables.states import Stage

DELAYS = (60.0, 180.0, 600.0)


def task(attempt: int, given_back: int = 0) -> Task:
    return Task(job_id=uuid4(), run=1, stage=Stage.PREPARE, attempt=attempt, given_back=given_back)


def test_delays_grow_and_end() -> None:
    assert [delay_before_next(task(attempt), DELAYS, 0.0) for attempt in (1, 2, 3, 4)] == [*DELAYS, None]
    assert delay_before_next(task(1), (), 0.0) is None


def test_attempts_that_were_given_back_do_not_count() -> None:
    assert tries(task(7, given_back=6)) == 1
    assert delay_before_next(task(7, given_back=6), DELAYS, 0.0) == 60.0


def test_jitter_stays_within_its_share() -> None:
    delays = [delay_before_next(task(2), DELAYS, 0.1) for _ in range(200)]
    assert all(delay is not None and 162 <= delay <= 198 for delay in delays)
    assert len(set(delays)) > 1


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (InputError("Bad.", code="no_audio", hint="Send sound."), "no_audio", False),
        (TaskFailed("Hm."), "task_failed", True),
        (TimeLimitExceeded("Slow."), "time_limit_exceeded", True),
        (ZeroDivisionError("division by zero"), "internal_error", True),
        (OSError(errno.ENOSPC, "No space left on device"), "storage_full", True),
        (OSError(errno.EIO, "Input/output error"), "internal_error", True),
    ],
)
def test_failures_of_exceptions(error: Exception, code: str, retryable: bool) -> None:
    failure = Failure.of(error, uuid4())
    assert (failure.code, failure.retryable) == (code, retryable)
    # What Octavia raised on purpose is said to the client, and nothing else
    assert (str(error) in failure.message) is isinstance(error, OctaviaError)


def test_an_unknown_error_is_told_by_the_job_and_not_by_its_words() -> None:
    # Given an exception whose words quote a file, and name another
    job_id = uuid4()
    for error in (ValueError("'secret' is no number"), OSError(errno.ENOSPC, "No space left", "/srv/octavia/secret")):
        # When it fails an attempt, then the client reads neither
        failure = Failure.of(error, job_id)
        assert "secret" not in f"{failure.message} {failure.hint}"
    # And learns where the words are
    assert str(job_id) in Failure.of(ValueError(), job_id).hint
