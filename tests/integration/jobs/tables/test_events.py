"""Events of a job, read in pages."""

from octavia.jobs.tables import events
from octavia.jobs.tables.states import JobType
from tests.integration.jobs.steps import Steps, at_once


def test_events_since(steps: Steps) -> None:
    # Given a job with a history, and another one
    job = steps.submit(JobType.TRANSCRIBE)
    steps.run_out()
    steps.submit()
    # When it is read in pages
    first = events.since(steps.db, job.id, 0, 4)
    rest = events.since(steps.db, job.id, first[-1].seq, 100)
    # Then nothing is missing and nothing comes twice
    assert [event.seq for event in first + rest] == list(range(1, steps.job(job.id).event_seq + 1))
    assert {event.job_id for event in first + rest} == {job.id}
    assert rest[-1].type == "completed"
    assert rest[-1].data == {"revision": 1}
    assert events.since(steps.db, job.id, rest[-1].seq, 100) == []


def test_events_of_one_job_at_once_get_their_own_numbers(steps: Steps) -> None:
    job, messages = steps.prepared(4)
    at_once(*[lambda r=ref: steps.claim(r) for ref in messages])
    assert [event.seq for event in steps.events(job.id)] == list(range(1, steps.job(job.id).event_seq + 1))
