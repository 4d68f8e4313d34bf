"""What happens to jobs and tasks is counted once, when it has committed."""

from collections.abc import Callable

import pytest

from octavia.errors import Conflict
from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol import cancel, claims, completion
from octavia.jobs.tables.database import Database, on_commit
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.states import JobType, Stage
from octavia.metrics.measures import REGISTRY
from tests.integration.jobs.steps import ATTEMPTS, HOPELESS, Steps


class Changes:
    """What was counted since this was made."""

    def __init__(self) -> None:
        self._before = self._read()

    def _read(self) -> dict[tuple[str, ...], float]:
        return {
            (sample.name, *sample.labels.values()): sample.value
            for metric in REGISTRY.collect()
            for sample in metric.samples
            if not sample.name.endswith(("_bucket", "_sum"))
        }

    def __call__(self, *names: str) -> dict[tuple[str, ...], float]:
        """The counters of these names that have grown."""
        return {
            key[1:] if len(names) == 1 else key: value - self._before.get(key, 0.0)
            for key, value in self._read().items()
            if key[0].removeprefix("octavia_") in names and value != self._before.get(key, 0.0)
        }


@pytest.fixture
def changes() -> Changes:
    return Changes()


def test_a_job_from_its_submission_to_its_end(steps: Steps, changes: Changes) -> None:
    # Given a job of two chunks
    job = steps.submit(JobType.TRANSCRIBE)
    # When it runs
    steps.run_out(chunks=2)
    # Then the job and each attempt are counted once, with how long they waited and took
    assert changes("jobs_submitted_total") == {("transcribe",): 1}
    assert changes("jobs_finished_total") == {("transcribe", "completed", ""): 1}
    attempts = {("prepare", "completed"): 1, ("transcribe", "completed"): 2, ("assemble", "completed"): 1}
    assert changes("attempts_total") == changes("stage_duration_seconds_count") == attempts
    assert changes("queue_wait_seconds_count") == {("prepare",): 1, ("transcribe",): 2, ("assemble",): 1}
    assert changes("retries_total") == {}
    # And the speed of those that work on media
    assert {stage for stage, _ in changes("real_time_factor_count")} >= {"transcribe"}
    seconds = sum(task.seconds for task in steps.tasks(job.id) if task.stage is Stage.TRANSCRIBE)
    assert changes("audio_seconds_total")[("transcribe",)] == pytest.approx(seconds)


def test_a_failure_that_is_tried_again_and_one_that_is_not(steps: Steps, changes: Changes) -> None:
    # Given two tries of a task
    steps.submit()
    (ref,) = steps.deliver()
    # When the first may be tried again, and the second not
    steps.fail(steps.claim(ref))
    steps.fail(steps.claim(ref), HOPELESS)
    # Then each is counted as what it was, and the wait of the second as none: it waited on purpose
    assert changes("attempts_total") == {("prepare", "retrying"): 1, ("prepare", "failed"): 1}
    assert changes("retries_total") == {("prepare", "task_failed"): 1}
    assert changes("jobs_finished_total") == {("dub", "failed", "no_audio"): 1}
    assert changes("queue_wait_seconds_count") == {("prepare",): 1}


def test_attempts_that_are_given_back_lost_or_canceled(steps: Steps, changes: Changes) -> None:
    # Given a task
    job = steps.submit()
    (ref,) = steps.deliver()
    # When a worker gives it back, the next dies with it, and the third has it when the job is canceled
    claim = steps.claim(ref)
    claims.give_back(steps.db, claim.task_id, claim.attempt)
    claims.give_back(steps.db, claim.task_id, claim.attempt)
    steps.claim(ref, "dead")
    claims.expire_leases(steps.db, worker="dead", max_attempts=ATTEMPTS)
    claim = steps.claim(ref)
    cancel.cancel(steps.db, job.id, "local")
    completion.stop_canceled(steps.db, claim.task_id, claim.attempt)
    completion.stop_canceled(steps.db, claim.task_id, claim.attempt)
    # Then each is counted once, however often it is told
    assert changes("attempts_total") == {
        ("prepare", "given_back"): 1,
        ("prepare", "retrying"): 1,
        ("prepare", "canceled"): 1,
    }
    assert changes("retries_total") == {("prepare", "worker_lost"): 1}
    assert changes("jobs_finished_total") == {("dub", "canceled", ""): 1}


def test_a_lost_attempt_is_counted_by_nobody_but_who_took_it(steps: Steps, changes: Changes) -> None:
    # Given a worker that lost its task
    steps.submit()
    (ref,) = steps.deliver()
    late = steps.claim(ref, "late")
    claims.expire_leases(steps.db, worker="late", max_attempts=ATTEMPTS)
    # When it comes with its result, or its failure
    assert not steps.complete(late)
    steps.fail(late)
    # Then only the loss is counted
    assert changes("attempts_total") == {("prepare", "retrying"): 1}


def test_what_is_rolled_back_never_happened(database: Database, changes: Changes) -> None:
    # Given a submission whose transaction fails at its end
    def refuse(*_: object) -> None:
        raise Conflict("Something else went wrong.")

    # When it is tried
    with pytest.raises(Conflict):
        submit.create(database, NewJob(JobType.DUB, "en", "es", input={"kind": "media"}), within=refuse)
    # Then nothing is counted
    assert changes("jobs_submitted_total") == {}


def test_what_is_to_follow_a_commit_follows_it(database: Database) -> None:
    # Given two transactions of which the first is rolled back
    called: list[str] = []

    def run(name: str, after: Callable[[], None]) -> None:
        with database.transaction() as session:
            on_commit(session, lambda: called.append(name))
            assert name not in called
            after()

    def fail() -> None:
        raise RuntimeError("broken off")

    # When they run
    with pytest.raises(RuntimeError):
        run("first", fail)
    run("second", lambda: None)
    # Then only the second had its consequence
    assert called == ["second"]
