"""Real workers over RabbitMQ and a PostgreSQL behind the real PgBouncer."""

from collections import Counter

import pytest

from octavia.jobs.tables.states import JobStatus
from tests.integration.worker.conftest import Service
from tests.support.pgbouncer import PrivatePgBouncer
from tests.support.postgres import PrivatePostgres

pytestmark = [
    pytest.mark.parametrize("service", ["rabbitmq postgresql"], indirect=True),
    pytest.mark.timeout(600),  # minutes, where the machine is slow and has more to do than this
]


@pytest.mark.parametrize("mode", ["by_session", "by_transaction"])
def test_all_jobs_are_done_at_the_first_attempt(
    service: Service, mode: str, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    # Given workers whose database is behind PgBouncer
    pooler = request.getfixturevalue(mode)
    service.set(database_url=pooler.url(service.settings.database), log_format="json")
    service.start()
    # When they get 25 jobs
    jobs = [service.submit() for _ in range(25)]
    service.until(lambda: all(service.job(job_id).status is JobStatus.COMPLETED for job_id in jobs), 180)
    # Then each was done once, and nobody complained
    assert Counter(attempt.job_id for attempt in service.attempts()) == dict.fromkeys(jobs, 1)
    said = capfd.readouterr().err.splitlines()
    assert any('"worker_ready"' in line for line in said)
    assert [line for line in said if '"level": "info"' not in line] == []


def test_connections_that_are_dropped_cost_no_attempt(
    service: Service, by_transaction: PrivatePgBouncer, postgres: PrivatePostgres
) -> None:
    # Given a job in work
    name = str(service.db.url.database)
    service.set(database_url=by_transaction.url(service.settings.database))
    service.start()
    job_id = service.submit("wait for the gate")
    service.until(service.attempts, 180)
    # When PostgreSQL drops PgBouncer's connections, and PgBouncer those of its clients
    postgres.throw_out(name)
    by_transaction.order(f"KILL {name}")
    by_transaction.order(f"RESUME {name}")
    service.gate.touch()
    # Then the job completes, at its first attempt
    assert service.until_ended(job_id, 180).status is JobStatus.COMPLETED
    assert [attempt.number for attempt in service.attempts()] == [1]
