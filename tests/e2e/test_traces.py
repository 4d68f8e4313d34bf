"""One trace from a client's request to every stage, over HTTP, PostgreSQL, RabbitMQ and real models."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.service import Service, clip, service
from tests.support.collector import Collector, Got

pytestmark = pytest.mark.timeout(600)

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{PARENT}-01"
STAGES = ("prepare", "transcribe", "translate", "synthesize", "assemble")
WITHIN = {
    "prepare": {"verify model", "probe", "decode", "storage put"},
    "transcribe": {"storage get", "load model", "recognise", "storage put"},
    "translate": {"storage get", "load model", "translate", "storage put"},
    "synthesize": {"storage get", "load model", "synthesize", "storage put"},
    "assemble": {"storage get", "encode", "storage put"},
}
"""Spans that each stage must have somewhere below it."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture
def deployment(tmp_path: Path, rabbitmq_url: str, postgres_url: str, collector: Collector) -> Iterator[Service]:
    with service(
        tmp_path,
        OCTAVIA_DATABASE_URL=postgres_url,
        OCTAVIA_BROKER_URL=rabbitmq_url,
        OCTAVIA_QUEUE_PREFIX=f"e2e-{tmp_path.name}",
        OCTAVIA_STORAGE_URL=f"file://{tmp_path / 'storage'}",
        OCTAVIA_LOG_FORMAT="json",
        OCTAVIA_OTLP_ENDPOINT=collector.url,
    ) as running:
        running.start_api()
        running.start("worker", "worker")
        yield running


def below(spans: list[Got], top: Got) -> list[Got]:
    """All spans within one."""
    children = [span for span in spans if span.parent == top.id]
    return children + [inner for child in children for inner in below(spans, child)]


def without_parent(spans: list[Got]) -> list[Got]:
    """The spans of the trace whose parent is not there."""
    ids = {PARENT, *(span.id for span in spans)}
    return [span for span in spans if span.parent not in ids]


def test_a_job_is_one_trace(deployment: Service, collector: Collector, tmp_path: Path) -> None:
    # When a client that traces has a recording dubbed
    deployment.client.headers["traceparent"] = GIVEN
    job = deployment.submit(clip(tmp_path), type="dub", target_language="es")
    del deployment.client.headers["traceparent"]
    assert deployment.until_ended(job["id"])["status"] == "completed"
    # Then the job names the client's trace
    assert job["trace_id"] == TRACE
    assert deployment.client.get(f"/api/v1/jobs/{job['id']}").json()["trace_id"] == TRACE
    # Each process sends its spans by itself, in no order.
    collector.until(lambda: any(span.name == "assemble" for span in collector.of_trace(TRACE)), 20)
    collector.until(lambda: not without_parent(collector.of_trace(TRACE)), 20)

    # And in that trace is the request, and below it every attempt, with its engine's spans
    spans = collector.of_trace(TRACE)
    (request,) = [span for span in spans if span.parent == PARENT]
    assert (request.name, request.service) == ("POST /api/v1/jobs", "octavia-api")
    assert request.attributes["http.response.status_code"] == 202
    attempts = [span for span in spans if span.name in STAGES and "octavia.attempt" in span.attributes]
    assert {span.name for span in attempts} == set(STAGES)
    for attempt in attempts:
        assert attempt.parent == request.id
        assert attempt.attributes["octavia.outcome"] == "completed"
        assert attempt.attributes["octavia.job_id"] == job["id"]
        inner = below(spans, attempt)
        assert WITHIN[attempt.name] <= {span.name for span in inner}, (attempt.name, inner)
        assert sum(span.seconds for span in inner if span.parent == attempt.id) <= attempt.seconds + 0.01
        # Its message came from a relay, through RabbitMQ's headers.
        (link,) = attempt.links
        (published,) = [span for span in spans if span.id == link]
        assert (published.name, published.parent) == ("publish", request.id)
    models = {span.attributes["octavia.model"] for span in spans if span.name == "load model"}
    assert len(models) >= 3

    # And the lines of the log name the trace
    for name, event in (("api", "http_request"), ("worker", "task_completed")):
        lines = (deployment.log_dir / f"{name}.log").read_text().splitlines()
        assert any(TRACE in line and event in line for line in lines), name

    # And nothing that the client sent is in what was sent on
    sent = b"".join(collector.raw).lower()
    for word in (b"clip.flac", b"dashwood", b"sussex", str(tmp_path).encode()):
        assert word not in sent

    # When the client has a part of it done again, in another trace
    other = GIVEN.replace(TRACE[:8], "aaaaaaaa")
    again = deployment.client.post(
        f"/api/v1/jobs/{job['id']}/retry?from=assemble", headers={"traceparent": other}
    ).json()
    assert deployment.until_ended(job["id"])["status"] == "completed"
    # Then the job keeps its trace, and the request links to it
    assert again["trace_id"] == TRACE
    collector.until(lambda: len([span for span in collector.of_trace(TRACE) if span.name == "assemble"]) == 2, 20)
    # The API sends its spans by itself, perhaps after the workers theirs.
    name = "POST /api/v1/jobs/{job_id}/retry"
    collector.until(lambda: any(span.name == name for span in collector.spans), 20)
    (asked,) = [span for span in collector.spans if span.name == name]
    assert asked.trace != TRACE
    assert asked.links == (request.id,)
