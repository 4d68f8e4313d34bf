"""The last chunks complete at the same moment: assemble is written once."""

from octavia.jobs.tables.records import TaskRef
from octavia.jobs.tables.states import WHOLE_JOB, JobType, Stage, TaskStatus
from tests.integration.jobs.steps import Steps, at_once


def test_two_completions_at_a_barrier(steps: Steps) -> None:
    for _ in range(50):
        # Given a job whose last two chunks are running
        job, messages = steps.prepared(2, JobType.TRANSCRIBE)
        (one, first), (two, second) = [(steps.claim(ref), message) for ref, message in messages.items()]
        # When both complete at the same moment
        results = at_once(lambda c=one, m=first: steps.complete(c, m), lambda c=two, m=second: steps.complete(c, m))
        # Then both are kept and assemble is sent exactly once
        assert results == [True, True]
        assert steps.unsent() == [TaskRef(job.id, 1, WHOLE_JOB, Stage.ASSEMBLE)]
        assert len([task for task in steps.tasks(job.id) if task.stage is Stage.ASSEMBLE]) == 1
        steps.deliver()


def test_neighbours_at_a_barrier_hand_over_once(steps: Steps) -> None:
    for _ in range(10):
        # Given three chunks whose recognition is running
        job, messages = steps.prepared(3)
        running = [(steps.claim(ref), message) for ref, message in messages.items()]
        # When all complete at the same moment
        results = at_once(*[lambda c=claim, m=message: steps.complete(c, m) for claim, message in running])
        # Then each translation is sent exactly once
        assert results == [True] * 3
        sent = steps.unsent()
        assert sorted(ref.chunk for ref in sent) == [0, 1, 2]
        assert {ref.stage for ref in sent} == {Stage.TRANSLATE}
        assert {ref.job_id for ref in sent} == {job.id}
        steps.deliver()


def test_the_same_completion_twice_at_once(steps: Steps) -> None:
    # Given a worker whose answer was lost, so that it completes again
    job, messages = steps.prepared(1, JobType.TRANSCRIBE)
    ((ref, message),) = messages.items()
    claim = steps.claim(ref)
    results = at_once(*[lambda: steps.complete(claim, message)] * 2)
    # Then one of the two is kept
    assert sorted(map(bool, results)) == [False, True]
    assert steps.unsent() == [TaskRef(job.id, 1, WHOLE_JOB, Stage.ASSEMBLE)]
    assert steps.task(ref).status is TaskStatus.COMPLETED
