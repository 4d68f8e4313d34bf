"""Spans, their tree and what is in them; and that tracing that is off is not even there."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from octavia import programs, tracing
from octavia.errors import InputError
from octavia.settings import Settings
from octavia.tracing.exporter import Tracing
from tests.unit.tracing.test_context import GIVEN, PARENT, TRACE


class Spans:
    """What was made."""

    def __init__(self) -> None:
        self.memory = InMemorySpanExporter()

    def of(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.memory.get_finished_spans() if span.name == name]
        return found


@pytest.fixture
def spans() -> Iterator[Spans]:
    """Tracing that is on, and keeps what it makes."""
    found = Spans()
    tracing.use(Tracing(SimpleSpanProcessor(found.memory), "test"))
    yield found
    tracing.use(None)


def id_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.span_id:016x}"


def parent_of(span: ReadableSpan) -> str | None:
    return None if span.parent is None else f"{span.parent.span_id:016x}"


def test_spans_within_one_another_are_a_tree(spans: Spans) -> None:
    # When a request with a context is served in several steps
    outer = tracing.begin("request", {"octavia.stage": "x", "octavia.chunk": None}, parent=GIVEN, kind="server")
    with tracing.span("load model", {"octavia.model": "tiny"}) as inner:
        inner.note({"octavia.bytes": 3})
        assert tracing.trace_id() == TRACE
    outer.end()
    outer.end()
    # Then each is where it belongs
    request, load = spans.of("request"), spans.of("load model")
    assert parent_of(request) == PARENT
    assert parent_of(load) == id_of(request)
    assert dict(request.attributes or {}) == {"octavia.stage": "x"}
    assert dict(load.attributes or {}) == {"octavia.model": "tiny", "octavia.bytes": 3}
    # and nothing is left around what comes next
    assert tracing.traceparent() is None


def test_parts_of_nothing_are_not_traced(spans: Spans) -> None:
    # A probe of the storage, say, which belongs to no request.
    with tracing.span("storage put") as span:
        span.note({"octavia.bytes": 1})
    assert spans.memory.get_finished_spans() == ()


def test_an_error_leaves_its_code_and_not_its_words(spans: Spans) -> None:
    outer = tracing.begin("attempt")
    for error in (InputError("The file secret.wav is empty.", code="empty_file"), ValueError("what somebody said")):
        with pytest.raises(type(error)), tracing.span(type(error).__name__):
            raise error
    outer.end()
    assert (spans.of("InputError").attributes or {})["error.type"] == "empty_file"
    assert (spans.of("ValueError").attributes or {})["error.type"] == "ValueError"
    for name in ("InputError", "ValueError"):
        assert not spans.of(name).status.is_ok
        assert "said" not in spans.of(name).to_json()
        assert "secret" not in spans.of(name).to_json()


def test_a_trace_that_its_client_does_not_record_is_passed_on_and_not_recorded(spans: Spans) -> None:
    quiet = GIVEN[:-1] + "0"
    span = tracing.begin("request", parent=quiet)
    carried = tracing.traceparent()
    with tracing.span("inner"):
        pass
    span.end()
    assert carried is not None
    assert (carried[:35], carried[-2:]) == (quiet[:35], "00")
    assert spans.memory.get_finished_spans() == ()


def test_others_can_tell_of_a_span_that_died(spans: Spans) -> None:
    # Given a process that made spans within an attempt, and was killed in it
    id = tracing.span_id("task", 2)
    attempt = tracing.begin("transcribe", parent=GIVEN, id=id)
    with tracing.span("recognise"):
        pass
    # When another one tells of it
    began, ended = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
    told = {"parent": GIVEN, "id": id, "started": began, "ended": ended, "error": "worker_lost"}
    tracing.record("transcribe", {"octavia.outcome": "retrying"}, **told)  # type: ignore[arg-type]
    # Then the tree is whole
    lost = spans.of("transcribe")
    assert parent_of(spans.of("recognise")) == id_of(lost) == f"{id:016x}"
    assert parent_of(lost) == PARENT
    assert (lost.end_time or 0) - (lost.start_time or 0) == 60 * 10**9
    assert (lost.attributes or {})["error.type"] == "worker_lost"
    attempt.end()


def test_a_span_ends_in_any_thread(spans: Spans) -> None:
    span = tracing.begin("attempt")
    ending = threading.Thread(target=span.end)
    ending.start()
    ending.join()
    assert spans.of("attempt")
    span.end()
    assert tracing.traceparent() is None


def test_links_name_what_a_span_has_to_do_with(spans: Spans) -> None:
    span = tracing.begin("attempt", links=(GIVEN, None))
    tracing.link(GIVEN)
    tracing.link(None)
    span.end()
    assert [f"{link.context.span_id:016x}" for link in spans.of("attempt").links] == [PARENT, PARENT]


def test_ids_are_made_of_names() -> None:
    assert tracing.span_id("task", 1) == tracing.span_id("task", 1)
    assert len({tracing.span_id("task", number) for number in range(1000)}) == 1000


def test_tracing_that_is_off_makes_nothing() -> None:
    tracing.configure(Settings(otlp_endpoint=""), "test")
    assert not tracing.is_on()
    span = tracing.begin("request", parent=GIVEN)
    with tracing.span("inner", parent=GIVEN) as inner:
        inner.note({"octavia.bytes": 1})
    span.end()
    tracing.link(GIVEN)
    tracing.shutdown()
    assert (tracing.traceparent(), tracing.trace_id()) == (None, None)


def test_while_it_is_off_nothing_of_opentelemetry_is_imported() -> None:
    code = (
        "import octavia.web, octavia.worker.child, octavia.worker.supervisor, octavia.cli.app, octavia.actors, sys;"
        "from octavia import tracing; from octavia.settings import Settings;"
        "tracing.configure(Settings(otlp_endpoint=''), 'test');"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=programs.FOLDER, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_without_the_extra_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given an installation without OpenTelemetry
    for name in [name for name in sys.modules if name.startswith(("opentelemetry", "octavia.tracing.exporter"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(InputError) as refused:
        tracing.configure(Settings(otlp_endpoint="http://127.0.0.1:4318"), "test")
    assert refused.value.code == "invalid_setting"
    assert "pip install 'octavia[otel]'" in refused.value.hint
    assert not tracing.is_on()
