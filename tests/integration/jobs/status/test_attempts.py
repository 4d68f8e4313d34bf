"""Every attempt is written down when it ends, however it ends, and read with the one that runs."""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from octavia.errors import NotFound
from octavia.jobs.lifecycle import removal, submit
from octavia.jobs.protocol import cancel, claims, completion
from octavia.jobs.status import attempts
from octavia.jobs.tables.operation_rows import Attempt
from octavia.jobs.tables.records import Failure, TaskRef
from octavia.jobs.tables.states import AttemptOutcome
from octavia.storage import Storage
from tests.integration.jobs.steps import ATTEMPTS, FLAKY, HOPELESS, Steps


def told(steps: Steps, ref: TaskRef) -> list[tuple[int, str | None, str | None]]:
    """Number, outcome and error code of each attempt at a job's only task."""
    found = attempts.of_job(steps.db, ref.job_id, "local")
    return [(one.number, one.outcome and one.outcome.value, one.error_code) for one in found]


def test_each_end_of_an_attempt_has_its_outcome_and_reason(steps: Steps) -> None:
    # Given a task that failed, lost its worker, was given back twice for two reasons, and runs
    steps.submit()
    (ref,) = steps.deliver()
    steps.fail(steps.claim(ref, "one"), FLAKY)
    steps.claim(ref, "two")
    claims.expire_leases(steps.db, worker="two", max_attempts=ATTEMPTS)
    third = steps.claim(ref, "three")
    claims.give_back(steps.db, third.task_id, third.attempt)
    fourth = steps.claim(ref, "four")
    away = Failure("storage_unavailable", "The storage does not answer.", "", retryable=True)
    claims.give_back(steps.db, fourth.task_id, fourth.attempt, away)
    fifth = steps.claim(ref, "five")
    # Then all of that can be read, the one that runs too
    assert told(steps, ref) == [
        (1, "retrying", "task_failed"),
        (2, "retrying", "worker_lost"),
        (3, "given_back", "worker_stopping"),
        (4, "given_back", "storage_unavailable"),
        (5, None, None),
    ]
    found = attempts.of_job(steps.db, ref.job_id, None)
    assert [one.worker for one in found] == ["one", "two", "three", "four", "five"]
    assert [(one.run, one.chunk, one.stage) for one in found] == [(ref.run, ref.chunk, ref.stage)] * 5
    assert all(one.ended_at is not None and one.ended_at >= one.started_at for one in found[:4])
    assert all(one.queued_at is not None and one.queued_at <= one.started_at for one in found)
    assert found[4].ended_at is None
    # and its end is added to it
    steps.complete(fifth)
    assert told(steps, ref)[4:] == [(5, "completed", None)]


def test_a_failure_for_good_is_an_attempt_too(steps: Steps) -> None:
    steps.submit()
    (ref,) = steps.deliver()
    steps.fail(steps.claim(ref), HOPELESS)
    assert told(steps, ref) == [(1, "failed", "no_audio")]


def test_a_canceled_attempt_is_written_down_when_it_stops(steps: Steps) -> None:
    # Given a running task whose job is canceled
    steps.submit()
    (ref,) = steps.deliver()
    claim = steps.claim(ref)
    cancel.cancel(steps.db, ref.job_id, "local")
    assert told(steps, ref) == [(1, None, None)]
    # When it stops, and says so twice
    for _ in range(2):
        completion.stop_canceled(steps.db, claim.task_id, claim.attempt)
    assert told(steps, ref) == [(1, "canceled", None)]


def test_a_new_run_ends_the_attempts_of_the_one_before(steps: Steps) -> None:
    # Given a job with two running chunks, of which one fails for good
    job, messages = steps.prepared(2)
    one, two = messages
    steps.claim(one)
    steps.fail(steps.claim(two), HOPELESS)
    # When it runs again while the other chunk still runs
    submit.retry(steps.db, job.id, "local")
    # Then that attempt has ended, too, and its late result adds none
    ended = {(it.chunk, it.stage.value): it.outcome for it in attempts.of_job(steps.db, job.id, "local")}
    assert ended[one.chunk, "transcribe"] is AttemptOutcome.CANCELED
    assert ended[two.chunk, "transcribe"] is AttemptOutcome.FAILED
    steps.run_out(chunks=2)
    found = attempts.of_job(steps.db, job.id, "local")
    assert len({(it.task_id, it.number) for it in found}) == len(found)
    assert {it.run for it in found} == {1, 2}


def test_attempts_go_with_their_job(steps: Steps, tmp_path: Path) -> None:
    steps.submit()
    (ref,) = steps.deliver()
    steps.fail(steps.claim(ref), HOPELESS)
    removal.remove(steps.db, ref.job_id, "local")
    for owner in ("local", None):
        with pytest.raises(NotFound):
            attempts.of_job(steps.db, ref.job_id, owner)
    removal.sweep(steps.db, Storage(f"file://{tmp_path}"), min_age=timedelta(0))
    with steps.db.reading() as session:
        assert session.scalars(sa.select(sa.func.count()).select_from(Attempt)).one() == 0


def test_only_its_owner_reads_them(steps: Steps) -> None:
    job = steps.submit()
    assert attempts.of_job(steps.db, job.id, "local") == ()
    for job_id, owner in ((job.id, "mallory"), (uuid4(), "local"), (uuid4(), None)):
        with pytest.raises(NotFound):
            attempts.of_job(steps.db, job_id, owner)


def test_attempts_that_an_older_release_ended_are_missing_and_nothing_else(steps: Steps) -> None:
    # Given a task whose first attempt an older release ended, without a row
    steps.submit()
    (ref,) = steps.deliver()
    steps.fail(steps.claim(ref), FLAKY)
    with steps.db.transaction() as session:
        session.execute(sa.delete(Attempt))
    steps.complete(steps.claim(ref))
    assert told(steps, ref) == [(2, "completed", None)]
