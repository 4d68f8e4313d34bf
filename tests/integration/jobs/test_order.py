"""Chunks complete in any order: everything is handed over exactly once and the job ends."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from octavia.jobs.tables.records import TaskRef
from octavia.jobs.tables.states import JobStatus, Stage, TaskStatus
from tests.integration.jobs.steps import Steps

EXAMPLES = settings(
    max_examples=10,
    # The database outlives the examples; each of them makes a job of its own.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@EXAMPLES
@given(chunks=st.integers(1, 4), choices=st.lists(st.integers(0, 100), min_size=20, max_size=20))
def test_any_order_of_completions_ends_in_a_completed_job(steps: Steps, chunks: int, choices: list[int]) -> None:
    # Given a job after its fan-out
    job, due = steps.prepared(chunks)
    handed_over = Counter(list(due))
    # When again and again any one of the due messages is done
    for choice in choices:
        if not due:
            break
        ref = sorted(due, key=str)[choice % len(due)]
        assert steps.do(ref, due.pop(ref))
        new = steps.deliver()
        handed_over.update(list(new))
        due.update(new)
        # Then a translation is never due before the transcripts that it reads
        for translation in (ref for ref in new if ref.stage is Stage.TRANSLATE):
            for chunk in range(max(0, translation.chunk - 1), min(chunks, translation.chunk + 2)):
                transcript = TaskRef(job.id, 1, chunk, Stage.TRANSCRIBE)
                assert steps.task(transcript).status is TaskStatus.COMPLETED
    # and in the end each task was handed over exactly once and the job is complete
    assert due == {}
    assert set(handed_over.values()) == {1}
    assert len(handed_over) == 3 * chunks + 1
    assert steps.job(job.id).status is JobStatus.COMPLETED


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0), (0, 2, 1), (2, 0, 1)])
def test_who_hands_over_which_translation(steps: Steps, order: tuple[int, ...]) -> None:
    # Given three chunks
    job, messages = steps.prepared(3)
    by_chunk = {ref.chunk: (ref, message) for ref, message in messages.items()}
    done: set[int] = set()
    sent: set[int] = set()
    for chunk in order:
        # When their transcripts complete one after the other
        steps.do(*by_chunk[chunk])
        done.add(chunk)
        sent |= {ref.chunk for ref in steps.deliver()}
        # Then just those translations were sent that have all they read
        assert sent == {k for k in range(3) if {k - 1, k, k + 1} & {0, 1, 2} <= done}
    assert set(steps.statuses(job.id).values()) >= {TaskStatus.QUEUED}
