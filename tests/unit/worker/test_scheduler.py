import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pendulum
import sqlalchemy as sa
from periodiq import PeriodiqMiddleware
from structlog.testing import capture_logs

from octavia.brokers.embedded import EmbeddedBroker
from octavia.jobs.protocol import messages
from octavia.jobs.tables.database import Database, clock
from octavia.jobs.tables.rows import OutboxMessage
from octavia.jobs.tables.states import Queue
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.worker import maintenance
from octavia.worker.scheduler import _OutboxScheduler


def test_due_actors_send_their_messages_to_the_outbox(sqlite_url: str, tmp_path: Path) -> None:
    # Given the periodic actors
    db = Database(sqlite_url)
    broker = EmbeddedBroker(Settings(), db, [PeriodiqMiddleware()])
    maintenance.declare(broker, db, Storage(f"file://{tmp_path}"))
    scheduler = _OutboxScheduler(db, list(broker.actors.values()))
    now = pendulum.datetime(2030, 1, 1, 12, 0)
    # When those that are due are sent
    due = [actor for actor in scheduler.actors if actor.options["periodic"].validate(now)]
    scheduler.send_actors(due, now)
    # Then their messages wait in the outbox for the maintenance queue, by its logical name, with the database's time
    with db.reading() as session:
        rows = session.scalars(sa.select(OutboxMessage)).all()
    asked_by = clock(db)
    db.close()
    sent = [messages.decode(row.message) for row in rows]
    assert {message.actor_name for message in sent} == {"expire_results", "report"}
    assert {row.queue for row in rows} == {Queue.MAINTENANCE}
    assert {message.queue_name for message in sent} == {"maintenance"}
    late = [asked_by - datetime.fromisoformat(message.options["scheduled_at"]) for message in sent]
    assert all(timedelta(0) <= seconds < timedelta(minutes=1) for seconds in late)


def test_an_outage_of_the_database_does_not_end_the_scheduler(tmp_path: Path) -> None:
    # Given a database without tables
    db = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    broker = EmbeddedBroker(Settings(), db, [PeriodiqMiddleware()])
    maintenance.declare(broker, db, Storage(f"file://{tmp_path}"))
    scheduler = _OutboxScheduler(db, list(broker.actors.values()))
    # When something is due
    with capture_logs() as logs:
        scheduler.send_actors(scheduler.actors, pendulum.now())
    db.close()
    # Then it is left for the next time, nothing is raised, and the log names each actor
    assert {line["actor"] for line in logs if line["event"] == "not_scheduled"} == set(broker.actors)


def test_the_scheduler_stops_when_told(sqlite_url: str, tmp_path: Path) -> None:
    # Given a scheduler that waits for the next minute
    environment = {**os.environ, **Settings(database_url=sqlite_url, data_dir=tmp_path).environment()}
    process = subprocess.Popen(
        [sys.executable, "-m", "octavia.worker.scheduler"], env=environment, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    for line in process.stderr:
        if "scheduler_ready" in line:
            break
    time.sleep(0.3)
    # When it is told to stop
    process.send_signal(signal.SIGTERM)
    # Then it does, in good order
    process.communicate(timeout=100)
    assert process.returncode == 0
