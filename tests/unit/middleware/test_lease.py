"""What the keeper of a lease does about a task that nobody wants any more."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from octavia.brokers.queues import Delivery
from octavia.jobs.protocol import cancel, claims, completion, messages
from octavia.jobs.tables import queries
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import JobStatus
from octavia.middleware.lease import LeaseKeeper
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.work import Work


@pytest.fixture
def work(db: Database, delivery: Delivery, storage: Storage, settings: Settings) -> Work:
    claim = claims.claim(db, messages.ref_of(delivery.message), "test", lease=30)
    return Work(db, claim, storage, settings)


@pytest.fixture
def keeper(db: Database, settings: Settings, work: Work) -> Iterator[LeaseKeeper]:
    """One that renews rarely, looks often, and gives a task all the time to stop."""
    settings.lease_renew_seconds = 60
    keeper = LeaseKeeper(db, settings, work, look_seconds=0.02, stop_seconds=3600)
    keeper.start()
    yield keeper
    keeper.stop()


def status(db: Database, job_id: UUID) -> JobStatus:
    return queries.get(db, job_id, "local").status


@pytest.mark.usefixtures("keeper")
def test_a_cancel_is_heard_between_renewals_and_not_waited_for_too_long(
    db: Database, settings: Settings, work: Work, job_id: UUID
) -> None:
    # Given a task whose engine does not come back from a piece
    assert not work.canceled.wait(0.1)
    # When its job is canceled
    cancel.cancel(db, job_id, "local")
    # Then the task hears of it at once, and has some time to stop by itself
    assert work.canceled.wait(60)
    assert not work.lease_lost.wait(0.2)
    assert status(db, job_id) is JobStatus.PROCESSING
    # and then the job does without it
    impatient = LeaseKeeper(db, settings, work, look_seconds=0.02, stop_seconds=0.2)
    impatient.start()
    assert work.lease_lost.wait(60)
    impatient.stop()
    assert status(db, job_id) is JobStatus.CANCELED
    # When the engine comes back after all, then what it made is not kept
    claim = work.claim
    kept = completion.complete(db, claim, artifacts=(), handover=None, plan=_plan())
    assert kept is False
    assert status(db, job_id) is JobStatus.CANCELED


@pytest.mark.usefixtures("keeper")
def test_a_task_that_stops_by_itself_is_left_to_it(db: Database, work: Work, job_id: UUID) -> None:
    cancel.cancel(db, job_id, "local")
    assert work.canceled.wait(60)
    completion.stop_canceled(db, work.claim.task_id, work.claim.attempt)
    assert status(db, job_id) is JobStatus.CANCELED
    assert work.lease_lost.wait(60)


def _plan() -> completion.Plan:
    return completion.Plan(chunks=(), duration=1.0, language="en", models={}, warnings=())
