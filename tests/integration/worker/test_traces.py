"""Traces of worker processes that fail, die and stop, and collectors that are away, slow or mad."""

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from uuid import UUID

import pytest

from octavia import tracing
from octavia.jobs.status import attempts as status_of_attempts
from octavia.jobs.tables.states import JobStatus
from tests.integration.worker.conftest import Service
from tests.support.collector import Collector, Got
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(400)  # processes take long to start where the machine has more to do than this

_LONG = 180.0
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GIVEN = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture(autouse=True)
def off_again() -> Iterator[None]:
    yield
    tracing.shutdown()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def traced(service: Service, url: str) -> None:
    """Have the service send its traces, also from its supervisor, which is this process."""
    service.set(otlp_endpoint=url)
    tracing.configure(service.settings, "supervisor")


def submit(service: Service, *acts: str, chunks: int = 1) -> UUID:
    """Submit a job as a request with a context would."""
    span = tracing.begin("POST", parent=GIVEN, kind="server")
    try:
        return service.submit(*acts, chunks=chunks)
    finally:
        span.end()


def attempts(collector: Collector, stage: str = "transcribe") -> list[Got]:
    found = [span for span in collector.of_trace(TRACE) if span.name == stage]
    return sorted(found, key=lambda span: span.attributes["octavia.attempt"])


def test_attempts_are_siblings_also_those_that_died(service: Service, collector: Collector) -> None:
    # Given a job whose first attempt is killed, and whose second fails
    traced(service, collector.url)
    service.start()
    job_id = submit(service, "be killed", "fail", "succeed")
    assert service.until_ended(job_id, _LONG).status is JobStatus.COMPLETED
    service.until(lambda: len(attempts(collector)) == 3 and attempts(collector, "assemble"))
    # Then all three are there, below the request, with how they ended
    (request,) = collector.named("POST")
    first, second, third = attempts(collector)
    assert request.parent == PARENT
    assert {span.parent for span in (first, second, third)} == {request.id}
    outcomes = [(span.attributes["octavia.outcome"], span.attributes.get("error.type")) for span in attempts(collector)]
    assert outcomes == [("retrying", "worker_lost"), ("retrying", "task_failed"), ("completed", None)]
    # and of the dead one its supervisor told
    assert (first.service, second.service, third.service) == ("octavia-supervisor", "octavia-worker", "octavia-worker")
    assert first.attributes["octavia.worker_lost"] is True
    assert first.attributes["octavia.job_id"] == str(job_id)
    assert first.attributes["octavia.worker"] != third.attributes["octavia.worker"]
    # and each links to the span in which its message was published, if a broker published it
    published = {span.id for span in collector.named("publish")}
    if service.settings.embedded:
        assert not published
    else:
        assert {link for span in (second, third) for link in span.links} <= published
        assert all(span.links for span in (second, third))
    # and no storage of anything without a place in it
    ids = {span.id for span in collector.spans}
    assert {span.parent for span in collector.spans} <= ids | {PARENT}


@pytest.mark.parametrize("service", ["embedded sqlite"], indirect=True)
def test_a_stop_tells_what_was_given_back(service: Service, collector: Collector) -> None:
    # Given a task that does not stop within the grace
    traced(service, collector.url)
    service.set(stop_grace_seconds=0.5)
    service.start()
    submit(service, "sleep in C", "succeed")
    service.until(lambda: service.attempts(), _LONG)
    # When its worker is stopped
    service.stop()
    # Then its span has ended, and says so
    until(lambda: attempts(collector), 10)
    (span,) = attempts(collector)
    assert span.attributes["octavia.outcome"] == "given_back"


def _hang(_request: BaseHTTPRequestHandler) -> None:
    time.sleep(60)


def _garbage(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"\x00\xff what is this \r\n\r\n" * 1000)


def _refuse(request: BaseHTTPRequestHandler) -> None:
    request.send_response(503)
    request.send_header("Retry-After", "3600")
    request.send_header("Content-Length", "0")
    request.end_headers()


@pytest.mark.parametrize("kind", ["away", "hanging", "mad", "refusing"])
@pytest.mark.parametrize("service", ["embedded sqlite"], indirect=True)
def test_no_collector_holds_up_a_job_or_an_end(service: Service, kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    # Given a collector of that kind
    answer = {"hanging": _hang, "mad": _garbage, "refusing": _refuse}.get(kind)
    with Collector(answer) as collector:
        traced(service, f"http://127.0.0.1:{free_port()}" if kind == "away" else collector.url)
        service.start()
        # When a job runs
        job_id = submit(service, "work a little", chunks=3)
        job = service.until_ended(job_id, _LONG)
        # Then it completes as ever, and no attempt waited for the collector, which would take 5 s
        assert job.status is JobStatus.COMPLETED
        found = status_of_attempts.of_job(service.db, job_id, None)
        assert len(found) == 5
        assert all(one.ended_at is not None and (one.ended_at - one.started_at).total_seconds() < 4 for one in found)
        # and the end takes no longer than is allowed
        began = time.monotonic()
        service.stop()
        tracing.shutdown()
        assert time.monotonic() - began < 12
    # and the log has few words for it
    said = capfd.readouterr().err
    assert said.count("traces_are_not_sent") <= 3
    assert "Traceback" not in said
