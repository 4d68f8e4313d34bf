"""An unexpected error in each piece of background work of the workers, the scheduler and those who keep them."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from octavia import observability
from octavia.backoff import Backoff
from octavia.brokers.gate import Gate
from octavia.cli.local import serve
from octavia.cli.stack import keeper
from octavia.engines import cache
from octavia.jobs.access import webhooks
from octavia.jobs.protocol import claims
from octavia.jobs.tables import pauses
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import Renewal
from octavia.jobs.tables.states import Queue
from octavia.middleware.lease import LeaseKeeper
from octavia.middleware.process import Process
from octavia.settings import Settings
from octavia.worker import child, scheduler
from octavia.worker.courier import Courier
from octavia.worker.janitor import Janitor
from octavia.worker.orders import Orders
from octavia.worker.pause_watch import PauseWatch
from octavia.worker.pipes import ORDER_FD
from octavia.worker.supervisor import Supervisor
from tests.support import background
from tests.support.background import Fault
from tests.support.waiting import until

# They end with the request, the task, the process or the line of the log that they serve, and their errors are its.
SERVES_ONE = {
    *("actors/fetch.py", "api/live/waiting.py", "api/live/websocket.py", "api/resources/health.py"),
    *("repeated_lines.py", "tracing/exporter.py", "worker/last_words.py"),
}


@pytest.fixture
def db(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses after an error, and this process's own log."""
    monkeypatch.setattr("octavia.background.Backoff", lambda *_: Backoff(0.01, 0.02))
    monkeypatch.setattr(observability, "configure", lambda _: None)


def _janitor(db: Database, patch: pytest.MonkeyPatch, tmp_path: Path) -> Fault:
    fault = Fault(lambda *_, **__: [])
    patch.setattr(claims, "expire_leases", fault)
    janitor = Janitor(Settings(sweep_seconds=0.01), db, cast(Any, None))
    janitor.start()
    until(lambda: fault.over)
    janitor.stop(60)
    return fault


def _courier(db: Database, patch: pytest.MonkeyPatch, tmp_path: Path) -> Fault:
    fault = Fault(lambda *_, **__: [])
    patch.setattr(webhooks, "lease", fault)
    courier = Courier(Settings(), db, poll=0.01)
    courier.start()
    until(lambda: fault.over)
    courier.stop(60)
    return fault


def _lease(db: Database, patch: pytest.MonkeyPatch, tmp_path: Path) -> Fault:
    fault = Fault(lambda *_, **__: Renewal(alive=True, cancel_requested=False))
    patch.setattr(claims, "check", fault)
    work: Any = SimpleNamespace(claim=SimpleNamespace(task_id=uuid4(), attempt=1))
    lease = LeaseKeeper(db, Settings(lease_renew_seconds=60), work, look_seconds=0.01)
    lease.start()
    until(lambda: fault.over)
    lease.stop()
    until(lambda: not lease._thread.is_alive())
    return fault


def _supervisor(db: Database, patch: pytest.MonkeyPatch, tmp_path: Path) -> Fault:
    fault = Fault(lambda *_: signal.raise_signal(signal.SIGTERM))
    patch.setattr(Supervisor, "poll", lambda _: fault())
    Supervisor(Settings(database_url=str(db.url)), (), 0, deliver=False).run()
    return fault


def _scheduler(db: Database, patch: pytest.MonkeyPatch, tmp_path: Path) -> Fault:
    fault = Fault()
    patch.setattr(scheduler.signal, "signal", lambda *_: None)
    patch.setattr(scheduler._OutboxScheduler, "schedule", lambda _: fault())
    patch.setattr(scheduler._OutboxScheduler, "loop", lambda _: sys.exit(0))
    with pytest.raises(SystemExit):
        scheduler.run(Settings(database_url=str(db.url), data_dir=tmp_path))
    return fault


def _memory_report(db: Database, patch: pytest.MonkeyPatch, tmp_path: Path) -> Fault:
    fault, reports = Fault(lambda: 1), []
    patch.setattr(child, "_resident", fault)
    stop: Any = SimpleNamespace(wait=lambda _: bool(time.sleep(0.01)) or fault.over)
    worker: Any = SimpleNamespace(workers=[threading.current_thread()], consumers={})
    assert child._watch(worker, Process("test", reports.append), stop, 0.0, threading.Event())
    assert [report["memory"] for report in reports] == [1]
    return fault


def _pauses(db: Database, patch: pytest.MonkeyPatch, tmp_path: Path) -> Fault:
    fault = Fault(lambda *_: ())
    watch = PauseWatch(db, every=0.01)
    watch.start()
    patch.setattr(pauses, "list_pauses", fault)
    until(lambda: fault.over)
    watch.stop(60)
    return fault


def _orders(db: Database, patch: pytest.MonkeyPatch, tmp_path: Path) -> Fault:
    read, write = os.pipe()
    patch.setenv(ORDER_FD, str(read))
    gate = Gate()
    fault = Fault(gate.hold)
    orders = Orders(gate)
    patch.setattr(gate, "hold", fault)
    orders.start()
    for name in ("translate", "translate", "default"):
        os.write(write, json.dumps({"held": [name], "drain": False}).encode() + b"\n")
    until(lambda: fault.over)
    os.close(write)
    until(orders._ended.is_set)
    assert (gate.holds(Queue.DEFAULT), gate.holds(Queue.TRANSLATE)) == (True, False)
    return fault


def _engine_sweep(db: Database, patch: pytest.MonkeyPatch, tmp_path: Path) -> Fault:
    fault = Fault()
    patch.setattr(cache, "_give_memory_back", fault)
    engines = cache.EngineCache(100, 0.01)

    def swept() -> bool:
        if not engines._entries:
            engines.get("voice", _Engine, 1)
        return fault.over

    until(swept)
    return fault


def _serve(db: Database, patch: pytest.MonkeyPatch, tmp_path: Path) -> Fault:
    fault = Fault(lambda *_: signal.raise_signal(signal.SIGTERM))
    calls: list[str] = []
    patch.setattr(serve, "Keeper", lambda *_: _Kept(calls))
    patch.setattr(serve, "Supervisor", lambda *_, **__: _Kept(calls, poll=fault))
    serve.run(Settings(database_url=str(db.url), data_dir=tmp_path), [])
    assert calls.count("poll") == 3, "the API is looked after all the same"
    assert calls[-3:] == ["terminate", "stop", "stop"]
    return fault


def _keeper(db: Database, patch: pytest.MonkeyPatch, tmp_path: Path) -> Fault:
    fault = Fault(lambda *_: signal.raise_signal(signal.SIGTERM))
    calls: list[str] = []
    patch.setattr(keeper, "Keeper", lambda *_: _Kept(calls, poll=fault))
    patch.setattr(keeper, "_TICK", 0.01)
    patch.setattr(keeper.Service, "_note", lambda _: None)
    keeper.Service(Settings(), tmp_path, cast(Any, None), None).run()
    assert calls == ["stop"]
    return fault


class _Engine:
    """Stands in for one that is loaded."""


class _Kept:
    """Stands in for processes that are kept."""

    processes = ()
    condition = ""
    ready = alive = True

    def __init__(self, calls: list[str], **instead: Callable[..., None]) -> None:
        self._calls = calls
        self._instead = instead

    def __getattr__(self, name: str) -> Callable[..., None]:
        return self._instead.get(name) or (lambda *_, **__: self._calls.append(name))


FAULTS = {
    "courier": _courier,
    "engine_sweep": _engine_sweep,
    "janitor": _janitor,
    "keeper": _keeper,
    "lease": _lease,
    "memory_report": _memory_report,
    "orders": _orders,
    "pauses": _pauses,
    "scheduler": _scheduler,
    "serve": _serve,
    "supervisor": _supervisor,
}


@pytest.mark.parametrize("name", background.names("worker", "middleware", "engines", "cli"))
def test_an_unexpected_error_does_not_end_the_work(
    name: str, db: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Given background work in which something goes wrong twice that nobody expected
    # When it runs
    with capture_logs() as logs:
        fault = FAULTS[name](db, monkeypatch, tmp_path)
    # Then it went on, and ended when told; the log has the traceback of each error
    assert fault.over
    failed = [line for line in logs if line["event"] == f"{name}_failed"]
    assert [(line["log_level"], repr(line["exc_info"])) for line in failed] == [
        ("error", "RuntimeError('nobody expected this')")
    ] * 2


def test_whatever_is_started_goes_on_or_serves_one() -> None:
    # Given all modules that start threads or tasks
    # Then each uses the helper that keeps them going, or they serve one request, task or process
    found = background.starters()
    assert found.keys() >= SERVES_ONE
    assert [module for module, kept_on in found.items() if not kept_on and module not in SERVES_ONE] == []


def test_one_worker_process_that_cannot_be_started_does_not_keep_the_others_from_being_seen_to(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given two workers, of which the first cannot be started
    supervisor = Supervisor(Settings(database_url=str(db.url)), (Queue.DEFAULT,), 2, deliver=False)
    first, second = supervisor._slots
    polled: list[object] = []
    monkeypatch.setattr(first, "poll", Fault())
    monkeypatch.setattr(second, "poll", lambda: polled.append(second))
    # When they are looked after
    with pytest.raises(ExceptionGroup) as caught:
        supervisor.poll(0)
    # Then the second was, and the error is told
    assert polled == [second]
    assert "nobody expected this" in repr(caught.value.exceptions)


def test_a_report_that_cannot_be_read_costs_no_other(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a worker whose first line is garbage
    supervisor = Supervisor(Settings(database_url=str(db.url)), (Queue.DEFAULT,), 1, deliver=False)
    (slot,) = supervisor._slots
    monkeypatch.setattr(slot.process, "read_reports", lambda: [b"Segmentation", b'{"memory": 7}'])
    # When its reports are read
    slot._read_reports()
    # Then the other one counts
    assert slot._state.memory == 7


def test_a_worker_process_that_has_not_come_up_is_no_living_worker(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a process that was started
    supervisor = Supervisor(Settings(database_url=str(db.url)), (Queue.DEFAULT,), 1, deliver=False)
    (slot,) = supervisor._slots
    monkeypatch.setattr(type(slot.process), "pid", property(lambda _: 1234))
    assert slot.heartbeat() is None
    # When it reports for the first time, then it lives
    monkeypatch.setattr(slot.process, "read_reports", lambda: [b'{"memory": 7}'])
    slot._read_reports()
    heartbeat = slot.heartbeat()
    assert heartbeat
    assert heartbeat.memory == 7
