"""The periodic work, done by a real worker process that got its message from the outbox."""

import dramatiq
import pytest
import sqlalchemy as sa

from octavia.jobs.protocol import outbox
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.rows import Artifact, Job
from octavia.jobs.tables.states import JobStatus, Queue
from octavia.storage import Storage
from octavia.worker.maintenance import exclusive
from tests.integration.worker.commands import QUEUES
from tests.integration.worker.conftest import Service
from tests.support.pgbouncer import PrivatePgBouncer


def _send(service: Service, actor: str) -> None:
    message = dramatiq.Message(Queue.MAINTENANCE.value, actor, (), {}, {})
    with service.db.transaction() as session:
        outbox.add(session, Queue.MAINTENANCE, 2, message.encode())


def test_expired_results_are_removed(service: Service) -> None:
    # Given a completed job whose results are past their time
    service.start(queues=QUEUES)
    job_id = service.submit()
    assert service.until_ended(job_id).status is JobStatus.COMPLETED
    storage = Storage(service.settings.storage)
    with service.db.transaction() as session:
        keys = session.scalars(sa.select(Artifact.storage_key)).all()
        # From then on they may go: embedded, there is a scheduler too.
        assert all(storage.exists(key) for key in keys)
        session.execute(sa.update(Job).values(expires_at=Job.created_at))
    # When the work is due
    _send(service, "expire_results")
    # Then the files go, and the job stays
    service.until(lambda: not any(storage.exists(key) for key in keys))
    assert service.job(job_id).status is JobStatus.COMPLETED


@pytest.mark.parametrize(
    ("actor", "event"),
    [
        ("expire_results", "results_expired"),
        ("sweep_orphans", "orphans_swept"),
        ("prune", "pruned"),
        ("report", "report"),
    ],
)
@pytest.mark.parametrize("service", ["embedded sqlite"], indirect=True)
def test_each_does_its_work_on_a_service_without_files(
    service: Service, actor: str, event: str, capfd: pytest.CaptureFixture[str]
) -> None:
    # Given a service that has nothing to clean
    service.set(log_format="json")
    service.start(queues=QUEUES)
    # When the work is due
    _send(service, actor)
    # Then the worker does it, and says so
    said: list[str] = []
    service.until(lambda: said.append(capfd.readouterr().err) or f'"event": "{event}"' in "".join(said))


@pytest.mark.parametrize("pooled", [False, True], ids=["direct", "through PgBouncer"])
def test_one_at_a_time_over_all_machines(postgres_url: str, by_transaction: PrivatePgBouncer, pooled: bool) -> None:
    # Given two databases' users, as on two machines
    url = by_transaction.url(postgres_url) if pooled else postgres_url
    first, second = Database(url), Database(url)
    # When one holds the lock
    with exclusive(first, "report") as ours:
        # Then the other does not get it, but one of another name
        assert ours
        with exclusive(second, "report") as theirs, exclusive(second, "prune") as another:
            assert not theirs
            assert another
    # And it is free once given back
    with exclusive(second, "report") as theirs:
        assert theirs
    first.close()
    second.close()
