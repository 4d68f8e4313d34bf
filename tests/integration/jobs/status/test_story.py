"""The story of a job: everything that happened, in order, once, however many pages it is read in."""

from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from octavia.errors import InputError, NotFound
from octavia.jobs.lifecycle import removal, submit
from octavia.jobs.protocol import cancel, claims, completion
from octavia.jobs.status import story
from octavia.jobs.status.story import Entry
from octavia.jobs.tables.records import JobRecord, NewJob
from octavia.jobs.tables.rows import Event
from octavia.jobs.tables.states import JobType, Stage
from tests.integration.jobs.steps import FLAKY, HOPELESS, MEDIA, Steps


def told(steps: Steps, job: JobRecord) -> list[Entry]:
    return list(story.of_job(steps.db, job.id, "local", limit=10_000).entries)


def short(entries: list[Entry]) -> list[str]:
    """Each entry in a few words."""
    return [
        f"{one.stage} {one.chunk} {one.attempt} {one.status}" if one.what is story.What.ATTEMPT else one.what.value
        for one in entries
    ]


def test_a_job_is_told_from_its_submission_to_its_webhook(steps: Steps) -> None:
    # Given a job whose first task was given back, failed, and then went well
    new = NewJob(JobType.TRANSCRIBE, "en", input=dict(MEDIA), webhook_url="http://127.0.0.1/hook")
    job = submit.create(steps.db, new)
    (ref,) = steps.deliver()
    claim = steps.claim(ref, "host:1:default-0")
    claims.give_back(steps.db, claim.task_id, claim.attempt)
    steps.deliver()
    steps.fail(steps.claim(ref, "host:2:default-0"), FLAKY)
    steps.complete(steps.claim(ref, "host:3:default-0"))
    steps.run_out()
    # Then all of it is told, in order
    entries = told(steps, job)
    assert short(entries) == [
        "submitted",
        "queued",
        "prepare None 1 given_back",
        "prepare None 1 retrying",
        "prepare None 2 completed",
        "transcribe 0 1 completed",
        "assemble None 1 completed",
        "completed",
        "webhook",
    ]
    assert [one.at for one in entries] == sorted(one.at for one in entries)
    # and why, by whom, for how long, and after which pause
    given_back, failed, again = entries[2:5]
    assert given_back.error is not None
    assert given_back.error.code == "worker_stopping"
    assert failed.error is not None
    assert (failed.error.code, failed.error.message) == ("task_failed", "It went wrong.")
    assert failed.worker == "host:2:default-0"
    assert failed.next_at is not None
    assert failed.ended_at is not None
    assert failed.next_at - failed.ended_at > timedelta(seconds=50)
    # The test did not wait for the pause: nothing of it counts as waiting.
    assert again.waited == 0
    assert entries[-1].status == "pending"
    assert entries[-1].id is not None


def test_runs_and_cancels_are_told(steps: Steps) -> None:
    # Given a job that failed, ran again, and was canceled while it ran
    job = steps.submit()
    (ref,) = steps.deliver()
    steps.fail(steps.claim(ref), HOPELESS)
    submit.retry(steps.db, job.id, "local")
    (again,) = steps.deliver()
    claim = steps.claim(again)
    cancel.cancel(steps.db, job.id, "local")
    assert short(told(steps, job))[-2:] == ["prepare None 1 running", "cancel_requested"]
    completion.stop_canceled(steps.db, claim.task_id, claim.attempt)
    # Then both runs are told, with the reason for the second
    entries = told(steps, job)
    assert short(entries) == [
        "submitted",
        "queued",
        "prepare None 1 failed",
        "failed",
        "queued",
        "prepare None 1 canceled",
        "cancel_requested",
        "canceled",
    ]
    assert [one.run for one in entries] == [None, 1, 1, 1, 2, 2, 2, 2]
    assert entries[3].error is not None
    assert entries[3].error.code == "no_audio"


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_pages_tell_everything_once_while_it_goes_on(steps: Steps, limit: int) -> None:
    # Given a job that is read page by page while its tasks are done
    job, messages = steps.prepared(4)
    pages: list[Entry] = []
    cursor = None
    waiting = list(messages.items())
    while True:
        page = story.of_job(steps.db, job.id, "local", cursor=cursor, limit=limit)
        assert len(page.entries) <= limit
        pages += page.entries
        cursor = page.next_cursor
        if waiting:
            steps.do(*waiting.pop(0))
        if cursor is None:
            break
    # Then nothing of what was there at the beginning is missing, and nothing comes twice
    keys = [one.key for one in pages]
    assert len(set(keys)) == len(keys)
    assert keys == [one.key for one in told(steps, job)][: len(keys)]


def test_an_expired_job_keeps_its_attempts(steps: Steps) -> None:
    # Given a job whose events were removed with its files
    job = steps.submit(JobType.TRANSCRIBE)
    steps.run_out()
    with_events = short(told(steps, job))
    with steps.db.transaction() as session:
        session.execute(sa.delete(Event))
    # Then its story is still told
    assert short(told(steps, job)) == with_events
    waits = [one.waited for one in told(steps, job) if one.stage is Stage.TRANSCRIBE]
    assert all(wait is not None and wait >= 0 for wait in waits)


def test_only_its_owner_and_operators_read_it(steps: Steps) -> None:
    job = steps.submit()
    assert story.of_job(steps.db, job.id, None).entries
    for job_id, owner in ((job.id, "mallory"), (uuid4(), "local"), (uuid4(), None)):
        with pytest.raises(NotFound):
            story.of_job(steps.db, job_id, owner)
    removal.remove(steps.db, job.id, "local")
    for owner in ("local", None):
        with pytest.raises(NotFound):
            story.of_job(steps.db, job.id, owner)


@pytest.mark.parametrize("cursor", ["é", "a", "_____w", "%%%"])
def test_a_cursor_of_nonsense_is_refused(steps: Steps, cursor: str) -> None:
    job = steps.submit()
    with pytest.raises(InputError) as refused:
        story.of_job(steps.db, job.id, "local", cursor=cursor)
    assert refused.value.code == "invalid_cursor"
