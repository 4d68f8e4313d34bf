"""A database that goes away while workers work."""

import time

import pytest

from chaos.proxy import Proxy
from octavia.jobs.tables.states import JobStatus
from tests.integration.worker.conftest import Service

pytestmark = pytest.mark.parametrize("service", ["embedded postgresql", "rabbitmq postgresql"], indirect=True)


def test_a_result_waits_for_the_database(service: Service, line: Proxy) -> None:
    # Given a task in work, with one attempt to have
    service.set(retry_delays=(), lease_seconds=60)
    service.start()
    job_id = service.submit("wait for the gate")
    service.until(service.attempts)
    # When the database is away while the task ends, and comes back
    line.cut()
    service.gate.touch()
    away_until = time.monotonic() + 4
    service.until(lambda: time.monotonic() > away_until)
    assert service.job(job_id).status is JobStatus.PROCESSING
    line.mend()
    # Then the result is stored: the work was done once
    assert service.until_ended(job_id).status is JobStatus.COMPLETED
    assert len(service.attempts()) == 1


def test_a_stop_during_an_outage_loses_nothing(service: Service, line: Proxy) -> None:
    # Given a task whose result waits for a database that is away
    service.start()
    job_id = service.submit("wait for the gate", "succeed")
    service.until(service.attempts)
    line.cut()
    service.gate.touch()
    away_until = time.monotonic() + 3
    service.until(lambda: time.monotonic() > away_until)
    # When the service is stopped meanwhile
    began = time.monotonic()
    service.stop()
    # Then it does stop, with nothing acknowledged: the database would be away for ever
    assert time.monotonic() - began < 30
    # And once the database is back, the next start finishes the job
    line.mend()
    service.start()
    assert service.until_ended(job_id).status is JobStatus.COMPLETED
