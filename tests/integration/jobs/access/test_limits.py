"""How much a key may do holds, whoever counts, and however many ask at once."""

from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import col

from octavia.jobs.access import keys, limits
from octavia.jobs.access.keys import Limits, Scope
from octavia.jobs.access.limits import Rate, TooMany
from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol import cancel
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import JobRecord, NewJob
from octavia.jobs.tables.rows import ApiKey, Job, RateLimit
from octavia.jobs.tables.states import JobType
from tests.integration.jobs.steps import MEDIA, Steps, at_once


def new_key(database: Database, requests: int | None = None) -> tuple[UUID, str]:
    key, token = keys.create(database, "a", scopes=[Scope.READ], limits=Limits(requests))
    return key.id, token


def admit(database: Database, token: str) -> Rate | None:
    return limits.admit(database, token, requests_per_minute=600)[1]


def later(database: Database, seconds: float) -> None:
    """Let time pass for all buckets."""
    with database.transaction() as session:
        for key_id, full_at in session.execute(sa.select(col(RateLimit.key_id), col(RateLimit.full_at))).all():
            earlier = full_at - timedelta(seconds=seconds)
            session.execute(sa.update(RateLimit).where(col(RateLimit.key_id) == key_id).values(full_at=earlier))


# Few: of 7 a minute one comes back in 8 seconds, which the slowest machine does not take to ask for all of them.
@pytest.mark.parametrize("limit", [1, 2, 7])
def test_exactly_as_many_requests_as_allowed_get_in(database: Database, limit: int) -> None:
    # Given a key that may send so many a minute
    _, token = new_key(database, limit)
    # When it sends those at once
    left = [admit(database, token).remaining for _ in range(limit)]
    # Then each is told what is left
    assert left == list(range(limit))[::-1]
    # And the one after is refused, until one more has come back
    with pytest.raises(TooMany) as caught:
        admit(database, token)
    assert caught.value.code == "rate_limited"
    assert 0 < caught.value.retry_after <= 60 / limit
    assert caught.value.rate.remaining == 0
    later(database, 60 / limit)
    assert admit(database, token).remaining == 0


def test_a_full_bucket_does_not_overflow(database: Database) -> None:
    _, token = new_key(database, 5)
    admit(database, token)
    # Given a key that has not been used for an hour
    later(database, 3600)
    # Then it has a minute's requests, and no more
    assert [admit(database, token).remaining for _ in range(5)] == [4, 3, 2, 1, 0]
    with pytest.raises(TooMany):
        admit(database, token)


def test_a_refused_request_costs_nothing(database: Database) -> None:
    _, token = new_key(database, 1)
    admit(database, token)
    for _ in range(5):
        with pytest.raises(TooMany):
            admit(database, token)
    later(database, 60)
    assert admit(database, token).remaining == 0


def test_a_key_has_its_own_limit_or_the_deployments_or_none(database: Database) -> None:
    _, own = new_key(database, 5)
    _, common = new_key(database)
    _, free = new_key(database, 0)
    assert admit(database, own).limit == 5
    assert admit(database, common).limit == 600
    assert [admit(database, free) for _ in range(3)] == [None] * 3
    assert limits.admit(database, common, requests_per_minute=0)[1] is None


def test_keys_do_not_share_a_bucket(database: Database) -> None:
    _, one = new_key(database, 1)
    _, other = new_key(database, 1)
    admit(database, one)
    assert admit(database, other).remaining == 0


def test_requests_at_once_over_two_connections_are_all_counted(database: Database, database_url: str) -> None:
    # Given a key that may send 5 a minute, and two processes' worth of connections
    _, token = new_key(database, 5)
    second = Database(database_url, pool_size=10)
    # When 30 come at once
    results = at_once(*[lambda: admit(database, token), lambda: admit(second, token)] * 15)
    second.close()
    # Then 5 get in
    assert sum(isinstance(result, Rate) for result in results) == 5
    assert {result.code for result in results if isinstance(result, TooMany)} == {"rate_limited"}


def create(database: Database, key_id: UUID, most: int, *, start: bool = True) -> JobRecord:
    new = NewJob(JobType.DUB, "en", "es", input=dict(MEDIA), owner="a", key_id=key_id, jobs_in_flight=most)
    return submit.create(database, new, start=start)


def count_jobs(database: Database) -> int:
    with database.reading() as session:
        return session.scalars(sa.select(sa.func.count()).select_from(Job)).one()


def test_jobs_in_flight_are_bounded_exactly(database: Database) -> None:
    # Given a key that may have 3 jobs in flight
    key_id, _ = new_key(database)
    # When 12 are submitted at once
    results = at_once(*[lambda: create(database, key_id, 3)] * 12)
    # Then 3 are made, and the rest leave nothing
    assert sum(isinstance(result, JobRecord) for result in results) == 3
    assert {result.code for result in results if isinstance(result, TooMany)} == {"too_many_jobs"}
    assert count_jobs(database) == 3


@pytest.mark.parametrize("of_deployment", [False, True])
def test_new_runs_do_not_exceed_the_jobs_in_flight(database: Database, of_deployment: bool) -> None:
    # Given a key that may have 3 jobs in flight, itself or like all, and 12 of its jobs that were canceled
    key, _ = keys.create(database, "a", scopes=[Scope.READ], limits=Limits(None, None if of_deployment else 3))
    jobs = [create(database, key.id, 100).id for _ in range(12)]
    for job_id in jobs:
        cancel.cancel(database, job_id, "a")

    def retry(job_id: UUID) -> JobRecord:
        return submit.retry(database, job_id, "a", jobs_in_flight=3)

    # When all are retried at once
    results = at_once(*[partial(retry, job_id) for job_id in jobs])
    # Then 3 run again, and the rest are as they were
    assert sum(isinstance(result, JobRecord) for result in results) == 3
    assert {result.code for result in results if isinstance(result, TooMany)} == {"too_many_jobs"}
    with pytest.raises(TooMany):
        limits.check_jobs(database, key.id, 3)
    limits.check_jobs(database, key.id, 4)


def test_a_job_runs_again_after_its_key_was_removed_by_hand(database: Database) -> None:
    key_id, _ = new_key(database)
    job = create(database, key_id, 100)
    cancel.cancel(database, job.id, "a")
    with database.transaction() as session:
        session.execute(sa.delete(ApiKey).where(col(ApiKey.id) == key_id))
    assert submit.retry(database, job.id, "a", jobs_in_flight=3).run == 2


def test_jobs_that_arrive_count_once(database: Database) -> None:
    # Given a key with a job that is made, while its request is still being served
    key_id, _ = new_key(database)
    made = create(database, key_id, 100)
    # Then it counts once, and one that is not made yet counts too
    limits.check_jobs(database, key_id, 2, arriving={made.id})
    with pytest.raises(TooMany):
        limits.check_jobs(database, key_id, 2, arriving={made.id, uuid4()})
    with pytest.raises(TooMany):
        limits.check_jobs(database, key_id, 2, arriving={uuid4()})


def test_a_job_counts_from_its_upload_to_its_end(database: Database) -> None:
    steps = Steps(database)
    key_id, _ = new_key(database)
    pending = create(database, key_id, 2, start=False)
    create(database, key_id, 2)
    with pytest.raises(TooMany):
        limits.check_jobs(database, key_id, 2)
    # When one is canceled, there is room for another
    cancel.cancel(database, pending.id, "a")
    limits.check_jobs(database, key_id, 2)
    # And when one has completed
    create(database, key_id, 2)
    steps.run_out()
    limits.check_jobs(database, key_id, 1)


def test_jobs_of_others_do_not_count(database: Database) -> None:
    mine, _ = new_key(database)
    others, _ = new_key(database)
    create(database, others, 1)
    create(database, mine, 1)
    Steps(database).submit()
    limits.check_jobs(database, mine, 2)


def test_queued_jobs_are_counted_as_far_as_asked(database: Database) -> None:
    steps = Steps(database)
    for _ in range(3):
        steps.submit()
    steps.submit(start=False)
    assert limits.count_queued_jobs(database, 100) == 3
    assert limits.count_queued_jobs(database, 2) == 2
    steps.run_out()
    assert limits.count_queued_jobs(database, 100) == 0
