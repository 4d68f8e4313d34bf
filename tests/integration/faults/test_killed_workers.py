"""Workers and their supervisor are killed at every point of a task's life: every effect is there, once."""

import pytest

from octavia.jobs.tables.states import WHOLE_JOB, Queue, Stage
from tests.integration.faults.killing import WORK, Doomed
from tests.integration.faults.points import Point
from tests.integration.faults.stages import STAGES

_BESIDE_WORK = (Point.RECEIVED, Point.STORED, Point.UNCOMMITTED, Point.COMMITTED, Point.UNACKNOWLEDGED)
# Between its claim and its commit a death costs the attempt.
_COUNTED = {Point.WORKING, Point.STORED, Point.UNCOMMITTED}

_IN_EACH_STAGE = dict.fromkeys(STAGES, Point.WORKING)
# Each point once, each stage once; the other four ways to pair them have their turn in `make test-long`.
_ONE_OF_EACH = dict(zip(STAGES, _BESIDE_WORK, strict=True))
_ALL_OTHERS = [
    dict(zip(STAGES, _BESIDE_WORK[turn:] + _BESIDE_WORK[:turn], strict=True)) for turn in range(1, len(STAGES))
]


def _killed(deployment: Doomed, *plans: dict[Stage, Point]) -> None:
    # Given jobs, each of which costs workers their lives, stage by stage
    jobs = {deployment.submit(plan): plan for plan in plans}
    # When they are worked on
    deployment.start()
    # Then all complete
    deployment.until_completed(*jobs, seconds=120)
    # And an attempt counts if it had begun, and had not come to its end
    for job_id, plan in jobs.items():
        expected = {stage: 2 if plan[stage] in _COUNTED else 1 for stage in STAGES}
        assert {stage: attempts for (stage, _), attempts in deployment.attempts(job_id).items()} == expected
    # And everything is there once, and nothing besides
    deployment.check(*jobs)


def test_a_worker_may_be_killed_at_any_point(distributed: Doomed) -> None:
    _killed(distributed, _ONE_OF_EACH)


@pytest.mark.long
def test_a_worker_may_be_killed_in_the_middle_of_any_stage(embedded: Doomed) -> None:
    _killed(embedded, _IN_EACH_STAGE)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("deployment", ["distributed", "embedded"])
def test_a_worker_may_be_killed_at_any_point_of_any_stage(deployment: str, request: pytest.FixtureRequest) -> None:
    _killed(request.getfixturevalue(deployment), _IN_EACH_STAGE, _ONE_OF_EACH, *_ALL_OTHERS)


@pytest.mark.parametrize("deployment", ["distributed", "embedded"])
def test_a_worker_may_be_killed_after_it_has_released_chunks(deployment: str, request: pytest.FixtureRequest) -> None:
    # Given a recording whose first two chunks are released, and then whoever reads it is killed
    doomed: Doomed = request.getfixturevalue(deployment)
    job_id = doomed.submit({Stage.PREPARE: Point.WORKING}, chunks=3, early=2)
    # When it is worked on
    doomed.start()
    # Then it completes: it is read twice, and everything else is done once, whoever released it
    doomed.until_completed(job_id, seconds=120)
    attempts = doomed.attempts(job_id)
    assert attempts.pop((Stage.PREPARE, WHOLE_JOB)) == 2
    assert set(attempts.values()) == {1}
    # And everything is there once, and nothing besides
    doomed.check(job_id)


@pytest.mark.long  # relays are the same in an API, which is killed at these points each time
@pytest.mark.parametrize("point", [Point.LEASED, Point.UNMARKED])
def test_a_supervisor_may_be_killed_while_it_publishes_what_comes_next(distributed: Doomed, point: Point) -> None:
    # Given a job whose translation is committed as next, and the supervisor, which is to publish that, is killed. It
    # has nobody to translate: whoever had begun by then would have lost the attempt
    job_id = distributed.submit({Stage.TRANSLATE: point})
    distributed.start([queue for queue in WORK if queue is not Queue.TRANSLATE])
    distributed.until(distributed.died)
    # When another one is started in its place, and one to translate
    distributed.keep("translators", "supervisor", Queue.TRANSLATE)
    # Then the job goes on once what the dead one had leased is free, and nothing is done twice
    distributed.until_completed(job_id)
    assert set(distributed.attempts(job_id).values()) == {1}
    assert set(distributed.begun(job_id).values()) == {1}
    distributed.check(job_id)
