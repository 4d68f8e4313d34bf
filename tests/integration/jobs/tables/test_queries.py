"""What can be asked about jobs, over both databases."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from octavia.errors import InputError, NotFound
from octavia.jobs.lifecycle import submit
from octavia.jobs.tables import queries
from octavia.jobs.tables.queries import Filters
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.states import WHOLE_JOB, JobStatus, JobType, Priority, Stage
from tests.integration.jobs.steps import MEDIA, Steps

OWNER = "local"


def submit_with(steps: Steps, priority: Priority) -> UUID:
    return submit.create(steps.db, NewJob(JobType.DUB, "en", "es", priority=priority, input=dict(MEDIA))).id


def found(steps: Steps, filters: Filters) -> list[UUID]:
    return [job.id for job in queries.list_jobs(steps.db, OWNER, filters).jobs]


# One job


def test_a_job_is_found_by_its_owner_only(steps: Steps) -> None:
    job = steps.submit()
    assert queries.get(steps.db, job.id, OWNER) == job
    for job_id, owner in ((job.id, "somebody"), (uuid7(), OWNER)):
        with pytest.raises(NotFound) as caught:
            queries.get(steps.db, job_id, owner)
        assert caught.value.code == "job_not_found"


def test_a_deleted_job_is_not_found(steps: Steps) -> None:
    job = steps.submit()
    steps.change_job(job.id, deleted_at=datetime.now(UTC))
    with pytest.raises(NotFound):
        queries.get(steps.db, job.id, OWNER)
    assert queries.list_jobs(steps.db, OWNER).jobs == ()


def test_a_job_expires_when_its_time_is_over(steps: Steps) -> None:
    job = steps.submit()
    assert not job.expired
    for seconds, expected in ((60, False), (-1, True)):
        steps.change_job(job.id, expires_at=datetime.now(UTC) + timedelta(seconds=seconds))
        assert queries.get(steps.db, job.id, OWNER).expired is expected
        assert [listed.expired for listed in queries.list_jobs(steps.db, OWNER).jobs] == [expected]


# Lists


def test_pages_cover_everything_once_while_jobs_come_in(steps: Steps) -> None:
    # Given five jobs, of which the first page is read
    ids = [steps.submit().id for _ in range(5)]
    first = queries.list_jobs(steps.db, OWNER, limit=2)
    # When another comes in before the next page is
    steps.submit()
    second = queries.list_jobs(steps.db, OWNER, cursor=first.next_cursor, limit=2)
    third = queries.list_jobs(steps.db, OWNER, cursor=second.next_cursor, limit=2)
    # Then the pages go on where the first ended
    assert [job.id for page in (first, second, third) for job in page.jobs] == ids[::-1]
    assert third.next_cursor is None


def test_a_page_that_is_just_full_is_the_last(steps: Steps) -> None:
    for _ in range(2):
        steps.submit()
    assert queries.list_jobs(steps.db, OWNER, limit=2).next_cursor is None


def test_lists_are_by_owner_status_and_type(steps: Steps) -> None:
    dub, transcription = steps.submit(), steps.submit(JobType.TRANSCRIBE, start=False)
    assert found(steps, Filters()) == [transcription.id, dub.id]
    assert found(steps, Filters(status=JobStatus.PENDING)) == [transcription.id]
    assert found(steps, Filters(type=JobType.DUB)) == [dub.id]
    assert found(steps, Filters(type=JobType.DUB, status=JobStatus.PENDING)) == []
    assert queries.list_jobs(steps.db, "somebody").jobs == ()


def test_lists_are_by_priority_and_time(steps: Steps) -> None:
    # Given two jobs, one urgent, a moment apart
    normal, high = submit_with(steps, Priority.NORMAL), submit_with(steps, Priority.HIGH)
    moment = datetime(2026, 5, 1, 12, tzinfo=UTC)
    steps.change_job(normal, created_at=moment)
    steps.change_job(high, created_at=moment + timedelta(seconds=1))
    # Then each can be asked for; the earliest time is among those that are found, the latest is not
    assert found(steps, Filters(priority=Priority.HIGH)) == [high]
    assert found(steps, Filters(created_after=moment)) == [high, normal]
    assert found(steps, Filters(created_after=moment + timedelta(milliseconds=1))) == [high]
    assert found(steps, Filters(created_before=moment + timedelta(seconds=1))) == [normal]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("project", "spring"),
        ("count", "5"),
        ("share", "1.5"),
        ("done", "true"),
        ("late", "false"),
        ('quo"ted', "it's"),
        ("a.b", "$"),
        ("", "empty"),
    ],
)
def test_lists_are_by_values_of_the_metadata(steps: Steps, key: str, value: str) -> None:
    # Given a job with metadata of each kind, and one without
    meta = {
        **{"project": "spring", "count": 5, "share": 1.5, "done": True, "late": False, "no": None},
        **{'quo"ted': "it's", "a.b": "$", "": "empty", "inner": {"project": "autumn"}, "list": ["spring"]},
    }
    job = submit.create(steps.db, NewJob(JobType.DUB, "en", "es", input=dict(MEDIA), meta=meta))
    steps.submit()
    # Then a value finds it, and no other value does
    assert found(steps, Filters(meta={key: value})) == [job.id]
    assert found(steps, Filters(meta={key: f"{value}0"})) == []
    assert found(steps, Filters(meta={key: value, "project": "autumn"})) == []


@pytest.mark.parametrize(
    ("key", "value"), [("no", "null"), ("inner", '{"a": 1}'), ("list", "[1]"), ("list", ""), ("inner", "")]
)
def test_only_plain_values_of_the_metadata_are_looked_for(steps: Steps, key: str, value: str) -> None:
    meta = {"no": None, "inner": {"a": 1}, "list": [1]}
    submit.create(steps.db, NewJob(JobType.DUB, "en", "es", input=dict(MEDIA), meta=meta))
    assert found(steps, Filters(meta={key: value})) == []


@pytest.mark.parametrize("cursor", ["", "AAAA", "!", "ä", "A" * 100])
def test_a_cursor_of_somebody_elses_making_is_refused(steps: Steps, cursor: str) -> None:
    with pytest.raises(InputError) as caught:
        queries.list_jobs(steps.db, OWNER, cursor=cursor)
    assert (caught.value.code, caught.value.field) == ("invalid_cursor", "cursor")


# Results


def test_only_what_the_current_revision_published_is_a_result(steps: Steps) -> None:
    # Given a job that was completed twice
    job = steps.submit()
    steps.run_out()
    (first,) = queries.artifacts(steps.db, job.id)
    submit.retry(steps.db, job.id, OWNER, from_stage=Stage.TRANSLATE)
    # Then the first results stay while the second run goes on
    assert queries.artifacts(steps.db, job.id) == (first,)
    # And when it is done, its own take their place
    steps.run_out()
    (second,) = queries.artifacts(steps.db, job.id)
    assert (first.revision, second.revision) == (1, 2)
    assert queries.artifact(steps.db, job.id, "result.json") == second


def test_a_result_that_is_not_there_is_named_with_those_that_are(steps: Steps) -> None:
    job = steps.submit()
    with pytest.raises(NotFound, match=r"dub\.wav") as caught:
        queries.artifact(steps.db, job.id, "dub.wav")
    assert "no results" in caught.value.hint
    steps.run_out()
    with pytest.raises(NotFound) as caught:
        queries.artifact(steps.db, job.id, "dub.wav")
    assert (caught.value.code, caught.value.hint) == ("artifact_not_found", "It has: result.json.")


def test_what_a_stage_left_is_taken_from_the_newest_run_that_has_it(steps: Steps) -> None:
    # Given a job of two chunks, completed, and run again from the translation
    job = steps.submit()
    steps.run_out(chunks=2)
    submit.retry(steps.db, job.id, OWNER, from_stage=Stage.TRANSLATE)
    steps.run_out(chunks=2)

    def key(run: int, chunk: int, stage: Stage) -> str:
        return queries.newest_artifact(steps.db, job.id, run, chunk, stage, "result.json").storage_key

    # Then the second run sees its own translation and the transcript of the first
    assert f"/r2/1/{Stage.TRANSLATE}/" in key(2, 1, Stage.TRANSLATE)
    assert f"/r1/1/{Stage.TRANSCRIBE}/" in key(2, 1, Stage.TRANSCRIBE)
    assert f"/r1/{WHOLE_JOB}/{Stage.PREPARE}/" in key(2, WHOLE_JOB, Stage.PREPARE)
    # And the first one what it had
    assert f"/r1/1/{Stage.TRANSLATE}/" in key(1, 1, Stage.TRANSLATE)


def test_what_a_stage_that_is_not_completed_left_is_not_there(steps: Steps) -> None:
    # Given a job whose second run has just begun to translate again
    job = steps.submit()
    steps.run_out()
    submit.retry(steps.db, job.id, OWNER, from_stage=Stage.TRANSLATE)
    # When its translation is asked for, then the one of the first run is not it
    with pytest.raises(NotFound) as caught:
        queries.newest_artifact(steps.db, job.id, 2, 0, Stage.TRANSLATE, "result.json")
    assert caught.value.code == "artifact_not_found"
    # And neither is what it never left, or what no run has
    for chunk, name in ((0, "other.json"), (9, "result.json")):
        with pytest.raises(NotFound):
            queries.newest_artifact(steps.db, job.id, 1, chunk, Stage.TRANSCRIBE, name)


# Progress


def test_the_seconds_of_a_stage_are_those_of_its_chunks_together(steps: Steps) -> None:
    # Given two chunks that took a second and two seconds to transcribe
    job, messages = steps.prepared(2)
    start = datetime.now(UTC)
    for number, ref in enumerate([ref for ref in messages if ref.stage is Stage.TRANSCRIBE]):
        steps.do(ref, messages[ref])
        steps.change(ref, started_at=start, finished_at=start + timedelta(seconds=number + 1))
    # And one that is being translated
    translate = next(iter(steps.deliver()))
    steps.claim(translate)
    # Then that is three, and what is not completed does not count
    found = queries.stage_seconds(steps.db, job.id)
    assert found[Stage.TRANSCRIBE] == pytest.approx(3.0)
    assert Stage.TRANSLATE not in found
    assert queries.stage_seconds(steps.db, uuid7()) == {}
