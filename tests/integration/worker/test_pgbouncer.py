"""Real workers over RabbitMQ and a PostgreSQL behind the real PgBouncer."""

from collections import Counter
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest

from octavia.jobs.tables.states import JobStatus
from tests.integration.worker.conftest import Service
from tests.support.pgbouncer import PrivatePgBouncer
from tests.support.postgres import PrivatePostgres

Through = Callable[[str], PrivatePgBouncer]

pytestmark = pytest.mark.parametrize("service", ["rabbitmq postgresql"], indirect=True)


@pytest.fixture
def pooler(request: pytest.FixtureRequest, service: Service, postgres: PrivatePostgres) -> Iterator[PrivatePgBouncer]:
    """A PgBouncer with its defaults and the settings that a test asks for; the service's database is behind it."""
    with PrivatePgBouncer(postgres, **getattr(request, "param", {})) as pooler:
        through = service.settings.database.replace(f":{postgres.port}/", f":{pooler.port}/")
        service.set(database_url=through)
        yield pooler
        service.stop(0)


def completed(service: Service, jobs: list[UUID]) -> bool:
    return all(service.job(job_id).status is JobStatus.COMPLETED for job_id in jobs)


@pytest.mark.parametrize(
    "pooler", [{}, {"pool_mode": "transaction", "default_pool_size": 3}], indirect=True, ids=["defaults", "transaction"]
)
def test_all_jobs_are_done_at_the_first_attempt(
    service: Service, pooler: PrivatePgBouncer, capfd: pytest.CaptureFixture[str]
) -> None:
    # Given workers whose database is behind PgBouncer
    service.set(log_format="json")
    service.start()
    # When they get 25 jobs
    jobs = [service.submit("work a little") for _ in range(25)]
    service.until(lambda: completed(service, jobs), 240)
    # Then each was done once, and nobody complained
    assert Counter(attempt.job_id for attempt in service.attempts()) == dict.fromkeys(jobs, 1)
    said = capfd.readouterr().err
    assert '"level": "info"' in said
    assert not [line for line in said.splitlines() if '"level": "info"' not in line and '"level": "debug"' not in line]
