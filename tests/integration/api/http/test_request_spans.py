"""Each request is a span, which continues the client's trace if the client has one."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.testclient import TestClient

from octavia import tracing
from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.tracing.exporter import Tracing
from octavia.web import create_app

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GIVEN = f"00-{TRACE}-{PARENT}-01"
JOBS = "/api/v1/jobs"
TEXT = {"type": "translate", "text": "Hi.", "source_language": "en", "target_language": "es"}


@pytest.fixture
def memory() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing.use(Tracing(SimpleSpanProcessor(exporter), "api"))
    yield exporter
    tracing.use(None)


@pytest.fixture
def traced(settings: Settings, sqlite_url: str, storage: Storage, memory: InMemorySpanExporter) -> Iterator[TestClient]:
    """An API whose requests are traced."""
    database = Database(sqlite_url)
    on = settings.model_copy(update={"otlp_endpoint": "http://127.0.0.1:4318"})
    with TestClient(create_app(on, database=database, storage=storage), base_url="http://127.0.0.1") as client:
        yield client
    database.close()


def request_in(memory: InMemorySpanExporter) -> ReadableSpan:
    """The span of the only request since this was last asked."""
    (found,) = [span for span in memory.get_finished_spans() if span.kind.name == "SERVER"]
    memory.clear()
    return found


def test_a_clients_trace_goes_on(traced: TestClient, memory: InMemorySpanExporter) -> None:
    job = traced.post(JOBS, json=TEXT, headers={"traceparent": GIVEN}).json()
    assert job["trace_id"] == TRACE
    span = request_in(memory)
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == PARENT
    assert span.name == f"POST {JOBS}"
    assert (span.attributes or {})["http.response.status_code"] == 202


@pytest.mark.parametrize("given", ["garbage", "", f"00-{'0' * 32}-{PARENT}-01", f"{GIVEN}-more", "é"])
def test_garbage_begins_a_trace_as_none_does(traced: TestClient, memory: InMemorySpanExporter, given: str) -> None:
    answer = traced.post(JOBS, json=TEXT, headers={"traceparent": given.encode("latin-1")})
    assert answer.status_code == 202
    assert len(answer.json()["trace_id"]) == 32
    assert request_in(memory).parent is None


def test_spans_have_routes_and_neither_addresses_nor_queries(traced: TestClient, memory: InMemorySpanExporter) -> None:
    missing = uuid4()
    for path, name in (
        (f"{JOBS}/{missing}?secret=1", f"GET {JOBS}/{{job_id}}"),
        (f"{JOBS}/{missing}/artifacts/secret.wav", f"GET {JOBS}/{{job_id}}/artifacts/{{name:path}}"),
        ("/no/secret/page", "GET"),
    ):
        assert traced.get(path).status_code == 404
        span = request_in(memory)
        assert span.name == name
        assert span.status.is_unset
        assert str(missing) not in span.to_json()
        assert "secret" not in span.to_json()


def test_probes_are_not_traced(traced: TestClient, memory: InMemorySpanExporter) -> None:
    traced.get("/healthz", headers={"traceparent": GIVEN})
    traced.get("/readyz")
    assert memory.get_finished_spans() == ()


def test_without_traces_a_job_names_none(client: TestClient) -> None:
    assert client.post(JOBS, json=TEXT, headers={"traceparent": GIVEN}).json()["trace_id"] is None
