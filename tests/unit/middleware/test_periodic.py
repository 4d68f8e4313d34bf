from datetime import timedelta

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import SkipMessage

from octavia.brokers.queues import Delivery
from octavia.jobs.tables.database import Database, clock
from octavia.jobs.tables.states import Queue
from octavia.middleware.periodic import SCHEDULED_AT, SkipLate
from octavia.middleware.process import Process

BROKER: dramatiq.Broker = StubBroker(middleware=[])


def _before(db: Database, **options: object) -> None:
    delivery = Delivery(dramatiq.Message("maintenance", "report", (), {}, options), Queue.MAINTENANCE)
    SkipLate(db, Process("test"), after=60).before_process_message(BROKER, delivery)


def test_work_scheduled_lately_is_done(db: Database) -> None:
    _before(db, **{SCHEDULED_AT: (clock(db) - timedelta(seconds=50)).isoformat()})


def test_work_without_a_schedule_is_done(db: Database) -> None:
    _before(db)


def test_work_scheduled_long_ago_is_skipped(db: Database) -> None:
    with pytest.raises(SkipMessage):
        _before(db, **{SCHEDULED_AT: (clock(db) - timedelta(seconds=70)).isoformat()})


@pytest.mark.parametrize("garbage", ["soon", None, 5, ["2026-01-01"]])
def test_work_scheduled_at_an_unreadable_time_is_skipped(db: Database, garbage: object) -> None:
    with pytest.raises(SkipMessage):
        _before(db, **{SCHEDULED_AT: garbage})
