"""Deliveries: written with the end of a job, given to one courier at a time, tried again for three days."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import col

from octavia.errors import InputError, NotFound
from octavia.jobs.access import keys, webhooks
from octavia.jobs.access.webhooks import LeasedDelivery, Outcome, Verdict
from octavia.jobs.lifecycle import removal, submit
from octavia.jobs.protocol import cancel, claims, completion
from octavia.jobs.tables.database import Database, now
from octavia.jobs.tables.records import JobRecord, NewJob
from octavia.jobs.tables.rows import Job, WebhookDelivery
from octavia.jobs.tables.states import DeliveryStatus, JobType, Stage
from tests.integration.jobs.steps import HOPELESS, MEDIA, Steps, at_once

URL = "https://example.com/hook"
SECRET = "whsec_of the job"
AGAIN = Outcome(Verdict.TRY_AGAIN, 500, "The receiver answered 500.")


def submitted(
    steps: Steps, url: str | None = URL, secret: str | None = SECRET, key_id: UUID | None = None
) -> JobRecord:
    new = NewJob(
        JobType.TRANSCRIBE,
        "en",
        input=dict(MEDIA),
        meta={"order": 7},
        webhook_url=url,
        webhook_secret=secret,
        key_id=key_id,
    )
    return submit.create(steps.db, new)


def completed(steps: Steps, **given: str | UUID | None) -> JobRecord:
    job = submitted(steps, **given)  # type: ignore[arg-type]
    steps.run_out()
    return job


def lease(db: Database, limit: int = 20, seconds: float = 30) -> list[LeasedDelivery]:
    return webhooks.lease(db, limit=limit, seconds=seconds)


def rows(db: Database) -> list[WebhookDelivery]:
    with db.reading() as session:
        return list(session.scalars(sa.select(WebhookDelivery).order_by(col(WebhookDelivery.id))))


def change(db: Database, **values: object) -> None:
    """Change all deliveries, as time would."""
    with db.transaction() as session:
        session.execute(sa.update(WebhookDelivery).values(**values))


def clock(db: Database) -> datetime:
    with db.reading() as session:
        return now(session)


def test_the_end_of_a_job_is_written_down_to_be_told(steps: Steps) -> None:
    # Given a job with a webhook
    # When it completes
    job = completed(steps)
    # Then there is one delivery, due at once, that says what became of it and holds no secret
    (delivery,) = rows(steps.db)
    assert (delivery.type, delivery.url, delivery.status) == ("job.completed", URL, DeliveryStatus.PENDING)
    assert delivery.give_up_at == delivery.created_at + timedelta(days=3)
    assert delivery.payload["type"] == "job.completed"
    data = delivery.payload["data"]
    assert (data["id"], data["status"], data["revision"]) == (str(job.id), "completed", 1)
    assert (data["metadata"], data["duration"], data["error"]) == ({"order": 7}, 29.0, None)
    assert data["links"]["self"] == f"/api/v1/jobs/{job.id}"
    assert "whsec" not in str(delivery.payload)


def test_so_are_failing_and_canceling(steps: Steps) -> None:
    # Given two jobs with a webhook
    failing, canceling = submitted(steps), submitted(steps)
    # When one fails and the other is canceled
    ref = next(ref for ref in steps.deliver() if ref.job_id == failing.id)
    steps.fail(steps.claim(ref), HOPELESS)
    cancel.cancel(steps.db, canceling.id, "local")
    # Then both are told
    failed, canceled = rows(steps.db)
    assert failed.type == "job.failed"
    assert failed.payload["data"]["error"] == {
        "code": HOPELESS.code,
        "message": HOPELESS.message,
        "hint": HOPELESS.hint,
    }
    assert (canceled.type, canceled.payload["data"]["id"]) == ("job.canceled", str(canceling.id))


def test_a_job_that_is_canceled_while_it_runs_is_told_of_when_it_stops(steps: Steps) -> None:
    # Given a running job
    job = submitted(steps)
    (ref,) = steps.deliver()
    claim = steps.claim(ref)
    # When it is canceled, nothing is told yet
    cancel.cancel(steps.db, job.id, "local")
    assert rows(steps.db) == []
    # When its task stops, it is
    completion.stop_canceled(steps.db, claim.task_id, claim.attempt)
    assert [row.type for row in rows(steps.db)] == ["job.canceled"]


def test_a_lost_worker_fails_its_job_aloud(steps: Steps) -> None:
    # Given a job on its last attempt
    submitted(steps)
    (ref,) = steps.deliver()
    claim = steps.claim(ref)
    # When its worker is lost
    claims.expire_leases(steps.db, worker="w", max_attempts=claim.attempt)
    # Then that is told
    assert [row.payload["data"]["error"]["code"] for row in rows(steps.db)] == ["worker_lost"]


def test_what_is_rolled_back_is_not_told(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a job whose last task completes in a transaction that breaks at its very end
    job = submitted(steps)
    (prepare,) = steps.deliver()
    steps.do(prepare)
    ((transcribe, message),) = steps.deliver().items()
    steps.do(transcribe, message)
    (assemble,) = steps.deliver()
    claim = steps.claim(assemble)
    announce = webhooks.announce

    def announced_and_broken(session: object, row: Job) -> None:
        announce(session, row)  # type: ignore[arg-type]
        session.flush()  # type: ignore[attr-defined]
        raise RuntimeError("the power failed")

    monkeypatch.setattr(webhooks, "announce", announced_and_broken)
    with pytest.raises(RuntimeError):
        steps.complete(claim)
    # Then neither the end nor its telling happened
    assert rows(steps.db) == []
    assert steps.job(job.id).status == "processing"
    # When it completes after all, Then both
    monkeypatch.undo()
    assert steps.complete(claim)
    assert [row.type for row in rows(steps.db)] == ["job.completed"]


def test_nobody_is_told_where_nobody_asked(steps: Steps) -> None:
    # Given a job without webhook, of no key, and one of a key without
    key, _ = keys.create(steps.db, "k", owner="local", scopes=[keys.Scope.WRITE])
    # When they complete
    completed(steps, url=None)
    completed(steps, url=None, key_id=key.id)
    # Then nothing is owed
    assert rows(steps.db) == []


def test_a_key_has_an_address_and_a_secret_for_its_jobs(steps: Steps) -> None:
    # Given a key with a webhook
    key, _ = keys.create(
        steps.db, "k", owner="local", scopes=[keys.Scope.WRITE], webhook_url="https://key.example/hook"
    )
    # When jobs of it complete: without anything of their own, with an address, with both
    completed(steps, url=None, secret=None, key_id=key.id)
    completed(steps, secret=None, key_id=key.id)
    completed(steps, key_id=key.id)
    # Then what a job has comes first, and the key's fills in
    assert [(row.url, row.secret) for row in rows(steps.db)] == [
        ("https://key.example/hook", key.webhook_secret),
        (URL, key.webhook_secret),
        (URL, SECRET),
    ]


def test_each_run_is_told_of(steps: Steps) -> None:
    # Given a job that has completed
    job = completed(steps)
    # When it is run again
    submit.retry(steps.db, job.id, "local", from_stage=Stage.TRANSCRIBE)
    steps.run_out()
    # Then its second end is a delivery of its own
    assert [row.payload["data"]["run"] for row in rows(steps.db)] == [1, 2]


def test_a_delivery_is_one_couriers_at_a_time(steps: Steps) -> None:
    # Given ten deliveries
    for _ in range(10):
        completed(steps)
    # When three couriers take what is due at the same time
    taken = at_once(*[lambda: lease(steps.db)] * 3)
    # Then each delivery went to one of them
    ids = [leased.id for part in taken if isinstance(part, list) for leased in part]
    assert sorted(ids) == sorted(row.id for row in rows(steps.db))
    assert lease(steps.db) == []


def test_a_lease_that_ended_lets_another_try(steps: Steps) -> None:
    # Given a courier that took a delivery and died
    completed(steps)
    (first,) = lease(steps.db, seconds=0)
    # When another one looks
    (second,) = lease(steps.db)
    # Then it gets it, under the same id, and only it may record what came of it
    assert (second.id, second.attempt) == (first.id, 2)
    assert webhooks.record(steps.db, first, Outcome(Verdict.GONE, 410)) is None
    assert webhooks.record(steps.db, second, Outcome(Verdict.DELIVERED, 204)) is DeliveryStatus.DELIVERED
    assert webhooks.record(steps.db, second, Outcome(Verdict.GONE, 410)) is None
    (row,) = rows(steps.db)
    assert (row.status, row.response_status, row.attempts) == (DeliveryStatus.DELIVERED, 204, 2)


def test_what_failed_is_tried_again_later_and_later(steps: Steps) -> None:
    # Given a delivery
    completed(steps)
    pauses = []
    for attempt in range(1, 6):
        # When an attempt fails
        change(steps.db, next_attempt_at=clock(steps.db))
        (leased,) = lease(steps.db)
        assert leased.attempt == attempt
        assert webhooks.record(steps.db, leased, AGAIN) is DeliveryStatus.PENDING
        # Then it is not due, the reason is kept, and each pause is longer
        assert lease(steps.db) == []
        (row,) = rows(steps.db)
        assert (row.response_status, row.error) == (500, "The receiver answered 500.")
        # From a moment before it failed: what this machine takes in between makes it longer, never shorter.
        pauses.append((row.next_attempt_at - leased.at).total_seconds())
    assert pauses == sorted(pauses)
    assert 3 < pauses[0] < 12 < 200 < pauses[4] < 600


def test_a_receiver_may_ask_for_more_time_but_not_for_ever() -> None:
    # Given an answer with Retry-After
    # When the next attempt is planned
    # Then it waits so long at least, within bounds
    assert webhooks.pause(1, 600) == 600
    assert webhooks.pause(1, 1) > 1
    assert webhooks.pause(1, 10**9) == 6 * 3600
    assert webhooks.pause(10_000) <= 1.2 * 6 * 3600


def test_a_weekend_is_survived_by_few_attempts() -> None:
    # Given a receiver that is broken from Friday evening to Monday morning
    hours, attempts = 0.0, 0
    while hours < 60:
        attempts += 1
        hours += webhooks.pause(attempts) / 3600
    # Then it gets the webhook soon afterwards, and was not flooded before
    assert hours < 60 + 1.2 * 6
    assert attempts < 25
    assert timedelta(hours=hours) < webhooks.PERIOD


def test_after_three_days_it_is_given_up(steps: Steps) -> None:
    # Given a delivery that was tried for nearly three days
    completed(steps)
    change(steps.db, give_up_at=clock(steps.db) + timedelta(seconds=1))
    (leased,) = lease(steps.db)
    # When it fails once more
    # Then it has failed for good
    assert webhooks.record(steps.db, leased, AGAIN) is DeliveryStatus.FAILED
    change(steps.db, next_attempt_at=clock(steps.db))
    assert lease(steps.db) == []


def test_an_error_of_any_length_is_kept_as_far_as_it_fits(steps: Steps) -> None:
    # Given a delivery
    completed(steps)
    (leased,) = lease(steps.db)
    # When it is refused with many words
    webhooks.record(steps.db, leased, Outcome(Verdict.GONE, 410, "no " * 1000))
    # Then their beginning is kept
    (row,) = rows(steps.db)
    assert row.status is DeliveryStatus.FAILED
    assert row.error == ("no " * 1000)[:500]


@pytest.mark.parametrize("verdict", [Verdict.DELIVERED, Verdict.GONE, Verdict.TRY_AGAIN])
def test_any_delivery_can_be_made_again(steps: Steps, verdict: Verdict) -> None:
    # Given a delivery that was made, refused, or waits for its next attempt
    job = completed(steps)
    (leased,) = lease(steps.db)
    webhooks.record(steps.db, leased, Outcome(verdict, 200))
    change(steps.db, give_up_at=clock(steps.db))
    # When its owner asks for it again
    again = webhooks.redeliver(steps.db, job.id, leased.id, "local")
    # Then it is due at once, under its id, for another three days
    assert (again.status, again.attempts) == (DeliveryStatus.PENDING, 0)
    (next_one,) = lease(steps.db)
    assert (next_one.id, next_one.attempt) == (leased.id, 1)
    assert webhooks.record(steps.db, next_one, AGAIN) is DeliveryStatus.PENDING


def test_one_that_is_under_way_is_made_again_all_the_same(steps: Steps) -> None:
    # Given a delivery that a courier has in hand
    job = completed(steps)
    (under_way,) = lease(steps.db)
    # When its owner asks for it again
    webhooks.redeliver(steps.db, job.id, under_way.id, "local")
    # Then the outcome of the one under way no longer counts, and another courier gets it
    (again,) = lease(steps.db, seconds=31)
    assert webhooks.record(steps.db, under_way, Outcome(Verdict.DELIVERED, 200)) is None
    assert webhooks.record(steps.db, again, Outcome(Verdict.DELIVERED, 200)) is DeliveryStatus.DELIVERED


def test_deliveries_are_their_owners(steps: Steps) -> None:
    # Given a delivery of somebody's job, and another job of theirs
    job, other = completed(steps), completed(steps)
    (delivery,) = webhooks.deliveries(steps.db, job.id, "local")
    assert (delivery.type, delivery.next_attempt_at is None) == ("job.completed", False)
    # When somebody else lists or repeats it, it is not there
    with pytest.raises(NotFound):
        webhooks.deliveries(steps.db, job.id, "somebody")
    with pytest.raises(NotFound):
        webhooks.redeliver(steps.db, job.id, delivery.id, "somebody")
    # When it is looked for under another job, or does not exist, neither
    for job_id, delivery_id in ((other.id, delivery.id), (job.id, uuid4())):
        with pytest.raises(NotFound) as caught:
            webhooks.redeliver(steps.db, job_id, delivery_id, "local")
        assert caught.value.code == "delivery_not_found"


def test_those_of_all_jobs_are_listed_newest_first_in_pages(steps: Steps) -> None:
    # Given jobs of two owners that have ended, and one delivery that failed
    jobs = [completed(steps) for _ in range(3)]
    with steps.db.transaction() as session:
        session.execute(sa.update(Job).where(col(Job.id) == jobs[2].id).values(owner="somebody"))
    (gone, *_) = lease(steps.db)
    webhooks.record(steps.db, gone, Outcome(Verdict.GONE, 410, "Gone."))
    # When an owner lists theirs
    page = webhooks.list_deliveries(steps.db, "local", limit=1)
    # Then they get their own, page by page, each with its job
    assert [(one.job_id, one.owner) for one in page.deliveries] == [(jobs[1].id, "local")]
    rest = webhooks.list_deliveries(steps.db, "local", limit=1, cursor=page.next_cursor)
    assert [one.job_id for one in rest.deliveries] == [jobs[0].id]
    assert rest.next_cursor is None
    # When only failed ones are wanted, or those of all owners
    (failed,) = webhooks.list_deliveries(steps.db, "local", DeliveryStatus.FAILED).deliveries
    everybodys = webhooks.list_deliveries(steps.db, None)
    # Then that is what is listed
    assert (failed.id, failed.error, failed.next_attempt_at) == (gone.id, "Gone.", None)
    assert [(one.job_id, one.owner) for one in everybodys.deliveries] == [
        (jobs[2].id, "somebody"),
        (jobs[1].id, "local"),
        (jobs[0].id, "local"),
    ]
    # When a job is deleted, Then its webhooks are not listed, or found, any more
    removal.remove(steps.db, jobs[0].id, "local")
    assert webhooks.list_deliveries(steps.db, "local", DeliveryStatus.FAILED).deliveries == ()
    with pytest.raises(NotFound):
        webhooks.find(steps.db, gone.id, None)
    # When a cursor is no cursor, Then that is said
    with pytest.raises(InputError) as caught:
        webhooks.list_deliveries(steps.db, "local", cursor="abc")
    assert caught.value.code == "invalid_cursor"


def test_one_of_any_job_is_found_by_its_owner(steps: Steps) -> None:
    # Given a delivery
    job = completed(steps)
    (row,) = rows(steps.db)
    # When it is looked for by its owner, or for all owners, Then it is there, with its job
    for owner in ("local", None):
        assert webhooks.find(steps.db, row.id, owner).job_id == job.id
    # But not for anybody else
    with pytest.raises(NotFound) as caught:
        webhooks.find(steps.db, row.id, "somebody")
    assert caught.value.code == "delivery_not_found"


def test_old_ones_are_forgotten_once_they_are_over(steps: Steps) -> None:
    # Given an old delivery that was made and an old one that waits
    completed(steps)
    (leased,) = lease(steps.db)
    webhooks.record(steps.db, leased, Outcome(Verdict.DELIVERED, 200))
    completed(steps)
    change(steps.db, created_at=clock(steps.db) - timedelta(days=31))
    # When old ones are pruned
    # Then only what is over goes
    assert webhooks.prune(steps.db, timedelta(days=30)) == 1
    assert [row.status for row in rows(steps.db)] == [DeliveryStatus.PENDING]
