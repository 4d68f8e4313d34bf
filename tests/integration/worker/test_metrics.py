"""What worker processes count reaches their supervisor's port, whatever becomes of them."""

from typing import Any

import pytest

from octavia.jobs.tables.states import JobStatus
from tests.integration.worker.conftest import Service
from tests.support.metrics import counted, scrape, value
from tests.support.ports import free_port

embedded = pytest.mark.parametrize("service", ["embedded sqlite"], indirect=True)


class Grown:
    """How much counters of this process, the supervisor, have grown since this was made."""

    def __init__(self) -> None:
        self._before: dict[tuple[Any, ...], float] = {}

    def note(self, name: str, **labels: str) -> None:
        self._before[name, *labels.items()] = counted(name, **labels)

    def __call__(self, name: str, **labels: str) -> float:
        return counted(name, **labels) - self._before[name, *labels.items()]


@pytest.fixture
def grown() -> Grown:
    grown = Grown()
    for outcome in ("completed", "retrying", "failed", "given_back"):
        grown.note("octavia_attempts_total", stage="transcribe", outcome=outcome)
    for cause in ("memory", "signal", "exit", "hard_limit"):
        for queue in ("all", "transcribe"):
            grown.note("octavia_worker_deaths_total", queue=queue, cause=cause)
    for kind in ("soft", "hard"):
        grown.note("octavia_time_limits_total", stage="transcribe", kind=kind)
    grown.note("octavia_jobs_finished_total", type="transcribe", outcome="completed", code="")
    grown.note("octavia_jobs_finished_total", type="transcribe", outcome="failed", code="task_failed")
    return grown


def test_nothing_is_lost_when_processes_are_replaced(service: Service, grown: Grown) -> None:
    # Given a service with a metrics port, whose processes are replaced after every fifth task
    port = free_port()
    service.set(metrics_port=port, recycle_tasks=5)
    service.start()
    # When jobs run, some of whose attempts fail, and one is killed
    jobs = [service.submit(*acts) for acts in (("fail", "succeed"), ("be killed", "succeed"))]
    jobs.append(service.submit("succeed", chunks=3))
    failed = service.submit(*["fail"] * 4)
    for job_id in jobs:
        assert service.until_ended(job_id, 120).status is JobStatus.COMPLETED
    assert service.until_ended(failed).status is JobStatus.FAILED
    service.stop()
    # Then every attempt of every process is counted, and none twice
    queue = "all" if service.settings.embedded else "transcribe"
    assert grown("octavia_attempts_total", stage="transcribe", outcome="completed") == 5
    assert grown("octavia_attempts_total", stage="transcribe", outcome="retrying") == 5
    assert grown("octavia_attempts_total", stage="transcribe", outcome="failed") == 1
    assert grown("octavia_jobs_finished_total", type="transcribe", outcome="completed", code="") == 3
    assert grown("octavia_jobs_finished_total", type="transcribe", outcome="failed", code="task_failed") == 1
    assert grown("octavia_worker_deaths_total", queue=queue, cause="memory") == 1
    assert grown("octavia_worker_deaths_total", queue=queue, cause="exit") == 0


@embedded
def test_the_port_shows_the_processes_and_their_ends(service: Service, grown: Grown) -> None:
    # Given a service with a metrics port and short limits
    port = free_port()
    service.set(metrics_port=port, soft_limit_seconds=1, hard_limit_seconds=3)
    service.start()
    service.until(lambda: value(scrape(port), "octavia_worker_processes", queue="all", state="idle") == 1)
    # When one attempt runs past its soft limit, one past its hard limit, and one waits
    for acts in (("work in pieces", "succeed"), ("sleep in C", "succeed"), ("exit in C", "succeed")):
        assert service.until_ended(service.submit(*acts)).status is JobStatus.COMPLETED
    waiting = service.submit("wait for the gate")
    service.until(lambda: value(scrape(port), "octavia_worker_processes", queue="all", state="working") == 1)
    # Then each is told by its kind
    assert grown("octavia_time_limits_total", stage="transcribe", kind="soft") == 1
    assert grown("octavia_time_limits_total", stage="transcribe", kind="hard") == 1
    assert grown("octavia_worker_deaths_total", queue="all", cause="hard_limit") == 1
    assert grown("octavia_worker_deaths_total", queue="all", cause="exit") == 1
    assert grown("octavia_worker_deaths_total", queue="all", cause="memory") == 0
    text = scrape(port)
    assert (value(text, "octavia_worker_resident_bytes", queue="all") or 0) > 10_000_000
    assert value(text, "octavia_database_up") == 1
    assert value(text, "octavia_jobs", status="completed") is not None
    service.gate.touch()
    service.until_ended(waiting)


@embedded
def test_a_supervisor_that_does_not_read_holds_up_no_work(service: Service, grown: Grown) -> None:
    # Given a service whose supervisor stands still while its worker has more to report than a pipe holds
    service.set(metrics_port=free_port())
    service.start()
    service.until(lambda: service.ready())
    jobs = [service.submit("succeed", chunks=40) for _ in range(4)]
    # When time goes by without a look at the reports
    done = 0
    while done < len(jobs):
        done = sum(service.job(job_id).status is JobStatus.COMPLETED for job_id in jobs)
    # Then the jobs are done, and what was counted is there after the next look
    service.until(lambda: grown("octavia_attempts_total", stage="transcribe", outcome="completed") == 160)
