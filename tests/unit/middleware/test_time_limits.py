import time
from collections.abc import Mapping
from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker

from octavia.brokers.queues import Delivery
from octavia.jobs.protocol import claims, messages
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import Queue
from octavia.middleware.process import Process
from octavia.middleware.time_limits import Limits, TimeLimits, limits_for
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.work import Work
from tests.support.clock import Clock

BROKER: dramatiq.Broker = StubBroker(middleware=[])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time as this process sees it."""
    clock = Clock(time.monotonic())
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


@pytest.fixture
def reports() -> list[Mapping[str, Any]]:
    return []


@pytest.fixture
def process(reports: list[Mapping[str, Any]]) -> Process:
    return Process("test", reports.append)


@pytest.fixture
def work(db: Database, storage: Storage, settings: Settings, delivery: Delivery, process: Process) -> Work:
    claim = claims.claim(db, messages.ref_of(delivery.message), "test", lease=30)
    work = Work(db, claim, storage, settings)
    process.take(work)
    return work


@pytest.mark.parametrize(
    ("seconds", "limits"),
    [
        (0.0, Limits(300, 600)),
        (29.0, Limits(300, 600)),
        (30.0, Limits(300, 600)),
        (120.0, Limits(1200, 2400)),
    ],
)
def test_limits_grow_with_the_media_but_have_a_floor(seconds: float, limits: Limits) -> None:
    # Given the limits as they are by default
    # When a task works on so many seconds of media
    # Then it has ten and twenty times as long, but never less than the floors
    assert limits_for(Settings(), seconds) == limits


def test_a_task_is_announced_with_its_hard_limit_and_its_end(
    process: Process, work: Work, delivery: Delivery, reports: list[Mapping[str, Any]], clock: Clock
) -> None:
    # Given a task in hand
    limits = TimeLimits(Settings(), process)
    # When it begins and ends
    limits.before_process_message(BROKER, delivery)
    soft_left = work.soft_deadline - clock.now
    limits.after_process_message(BROKER, delivery)
    # Then the supervisor was told its limit and that it is over, and the work its soft deadline
    task = {"task": str(work.claim.task_id), "attempt": 1, "stage": "prepare", "limit": 600, "loading": False}
    assert reports == [task, {"idle": True}]
    assert soft_left == pytest.approx(300)


def test_the_clocks_stand_still_while_a_model_is_loaded(
    process: Process, work: Work, delivery: Delivery, reports: list[Mapping[str, Any]], clock: Clock
) -> None:
    # Given a task in hand with half a second to work, of which some has passed
    limits = TimeLimits(Settings(soft_limit_seconds=0.5, hard_limit_seconds=1, load_limit_seconds=50), process)
    limits.before_process_message(BROKER, delivery)
    clock.now += 0.1
    # When it loads a model for longer than that
    with work.loading():
        clock.now += 0.6
        work.checkpoint(0)
    # Then it may still work as long as before, and meanwhile another limit held
    assert work.soft_deadline - clock.now == pytest.approx(0.4)
    assert [(report["limit"], report["loading"]) for report in reports[:2]] == [(1, False), (50, True)]
    assert reports[2]["limit"] == pytest.approx(0.9)


def test_maintenance_has_the_limit_of_loading_a_model(process: Process, reports: list[Mapping[str, Any]]) -> None:
    # Given no task in hand, as during maintenance
    limits = TimeLimits(Settings(load_limit_seconds=50), process)
    round_ = Delivery(dramatiq.Message("maintenance", "report", (), {}, {}), Queue.MAINTENANCE)
    # When a round of it begins and ends
    limits.before_process_message(BROKER, round_)
    limits.after_process_message(BROKER, round_)
    # Then the supervisor was told how long it may take, and that it is over
    assert reports == [{"chore": "report", "limit": 50}, {"idle": True}]
