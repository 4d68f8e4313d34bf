"""Clocks that are wrong: of a process, which matters to nobody, and of the database, which costs time and no job."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
from sqlmodel import col

from octavia.jobs.access import keys
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables.database import clock
from octavia.jobs.tables.rows import ApiKey, Job, OutboxMessage, Task
from octavia.jobs.tables.states import JobStatus, Stage, TaskStatus
from octavia.storage import Storage
from tests.integration.faults.clocks import HOURS, Clock
from tests.integration.faults.killing import LEASE, ROOT, Doomed, doomed
from tests.support.ports import free_port
from tests.support.receiver import SECRET, Receiver

_SWEEP = """
from octavia.jobs.lifecycle import retention
from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from octavia.storage import Storage
settings = Settings()
print(retention.sweep_orphans(Database(settings.database), Storage(settings.storage)))
"""


@pytest.fixture
def service(tmp_path: Path, postgres_url: str, rabbitmq_url: str) -> Iterator[Doomed]:
    more = {"outbound_allow": "127.0.0.1", "webhook_secret": SECRET, "port": free_port(), "auth": "keys"}
    with doomed(tmp_path, postgres_url, rabbitmq_url, **more) as deployment:
        yield deployment


def test_workers_may_live_in_another_hour_and_move_to_a_third(service: Doomed, tmp_path: Path) -> None:
    # Given workers, a relay and a courier two hours ahead, and a job that fails once and is then held up
    theirs, gate = Clock(tmp_path, HOURS), tmp_path / "gate"
    service.prefix = theirs.prefix
    with Receiver() as receiver:
        began = time.monotonic()
        job_id = service.submit(gates={"translate": str(gate)}, fails={"transcribe": 1}, webhook_url=receiver.url)
        service.start()
        service.until(lambda: service.begun(job_id)[Stage.TRANSLATE, 0])
        # When their clock is set back by four hours, in the middle of a task that outlives its lease
        theirs.set(-HOURS)
        until = time.monotonic() + 1.5 * LEASE
        service.until(lambda: time.monotonic() > until)
        gate.touch()
        # Then the job completes with the attempts that it should have, and soon
        service.until_completed(job_id)
        assert time.monotonic() - began < 60
        assert service.attempts(job_id)[Stage.TRANSCRIBE, 0] == 2
        assert service.attempts(job_id)[Stage.TRANSLATE, 0] == 1
        # And its receiver, which looks at the time of what it gets, believes what it is told
        receiver.until(lambda: receiver.received)
        assert receiver.forged == 0
    # And all its times are the database's
    job = service.job(job_id)
    moments = [job.created_at, job.queued_at, job.started_at, job.finished_at]
    assert moments == sorted(moments)
    assert clock(service.db) - timedelta(minutes=HOURS * 30) < moments[0]
    assert moments[-1] < clock(service.db)
    service.check(job_id)


def test_keys_and_results_expire_by_the_databases_clock(service: Doomed, tmp_path: Path) -> None:
    # Given an API two hours ahead; a key and a result that last for another hour, and such that ended an hour ago
    theirs = Clock(tmp_path, HOURS)
    service.prefix = theirs.prefix
    hour = timedelta(hours=1)
    lasting, over = (keys.create(service.db, name, scopes=[Scope.READ], owner="local") for name in ("new", "old"))
    fresh, stale = service.submit(), service.submit()
    moment = clock(service.db)
    with service.db.transaction() as session:
        for key, expires in ((lasting, moment + hour), (over, moment - hour)):
            session.execute(sa.update(ApiKey).where(col(ApiKey.id) == key[0].id).values(expires_at=expires))
        for job_id, expires in ((fresh, moment + hour), (stale, moment - hour)):
            session.execute(
                sa.update(Job).where(col(Job.id) == job_id).values(expires_at=expires, status=JobStatus.CANCELED)
            )
    service.keep("api", "serve", "--no-workers")
    with httpx.Client(base_url=f"http://127.0.0.1:{service.settings.port}", timeout=30) as client:

        def ask(token: str, job_id: object = fresh) -> httpx.Response:
            headers = {"Authorization": f"Bearer {token}"}
            return client.get(f"/api/v1/jobs/{job_id}", headers=headers)

        def answers() -> bool:
            try:
                return client.get("/healthz").status_code == 200
            except httpx.TransportError:
                return False

        service.until(answers)
        for hours in (HOURS, -HOURS):
            # When its clock is ahead, and then behind
            theirs.set(hours)
            # Then just the one key is let in, and just the one result has expired
            assert (ask(lasting[1]).status_code, ask(over[1]).status_code) == (200, 401)
            assert ask(over[1]).json()["code"] == "key_expired"
            assert [ask(lasting[1], job_id).json()["expired"] for job_id in (fresh, stale)] == [False, True]


def test_a_machine_that_is_ahead_sweeps_no_upload_away(tmp_path: Path, sqlite_url: str) -> None:
    # Given files of two uploads that are on no books: one just came, one was left two hours ago
    storage = Storage(f"file://{tmp_path / 'storage'}")
    new, old = (storage.put(f"jobs/{uuid4()}/input/a.wav", b"sound").key for _ in range(2))
    ago = time.time() - HOURS * 3600
    os.utime(tmp_path / "storage" / old, (ago, ago))
    # When a machine sweeps whose clock is ahead
    environment = {"OCTAVIA_DATABASE_URL": sqlite_url, "OCTAVIA_DATA_DIR": str(tmp_path)}
    command = [*Clock(tmp_path, HOURS).prefix, sys.executable, "-c", _SWEEP]
    swept = subprocess.run(command, env=os.environ | environment, cwd=ROOT, check=True, capture_output=True, text=True)
    # Then only what was left is gone
    assert swept.stdout.strip() == "1"
    assert [key for key, _ in storage.keys("jobs")] == [new]


@pytest.mark.long
def test_a_database_whose_clock_jumps_costs_attempts_and_no_job(distributed: Doomed, tmp_path: Path) -> None:
    # Given a task in work
    gate = tmp_path / "gate"
    job_id = distributed.submit(gates={"translate": str(gate)})
    distributed.start()
    distributed.until(lambda: distributed.begun(job_id)[Stage.TRANSLATE, 0])

    # When the database's clock jumps ahead by an hour: for the rows that is as if they were an hour older
    def jump() -> bool:
        past = clock(distributed.db) - timedelta(hours=1)
        with distributed.db.transaction() as session:
            held = sa.update(Task).where(col(Task.status) == TaskStatus.RUNNING)
            session.execute(held.values(lease_until=past))
            unsent = sa.update(OutboxMessage).where(col(OutboxMessage.published_at).is_(None))
            session.execute(unsent.values(not_before=past))
        # The living may be quicker to renew than anybody is to look; then nothing has happened.
        return distributed.attempts(job_id)[Stage.TRANSLATE, 0] > 1

    distributed.until(jump)
    gate.touch()
    # Then the task is taken from its worker, done again, and the job completes: nothing is there twice
    distributed.until_completed(job_id)
    assert distributed.attempts(job_id)[Stage.TRANSLATE, 0] <= 3
    distributed.check(job_id)
