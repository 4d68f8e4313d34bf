"""OpenTelemetry's side: spans are made by its SDK, and sent in batches, over OTLP/HTTP, by a thread of their own.

The SDK's own variables (``OTEL_…``) hold for what Octavia has no setting for: headers, sampling, attributes of the
resource, the size of batches.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, Token
from datetime import datetime
from typing import Final

import structlog
from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import OTEL_BSP_SCHEDULE_DELAY, OTEL_SERVICE_NAME
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace import Span as SdkSpan

from octavia import __version__
from octavia.backoff import Backoff
from octavia.errors import OctaviaError
from octavia.tracing.context import make_traceparent, parsed
from octavia.tracing.types import Attributes, Kind, Span, Value

_PATH: Final = "/v1/traces"
# A process that is killed loses what it has not sent: send soon.
_EVERY_MILLISECONDS: Final = 1000
_ANSWER_WITHIN: Final = 5.0
_KINDS: Final = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}

log = structlog.get_logger()

_wanted_id: ContextVar[int | None] = ContextVar("octavia_span_id", default=None)


class _Ids(RandomIdGenerator):
    """Random ids, but for spans whose id is made of names."""

    def generate_span_id(self) -> int:
        return _wanted_id.get() or super().generate_span_id()


class Patient(SpanExporter):
    """Sends batches while the collector takes them. While it does not, drops them, with few words in the log.

    Parameters:
      first, longest: Seconds after a first failure in which nothing is sent, and the most that they grow to.
      tell_every: Seconds between two lines about it.

    Attributes:
      away: The collector did not take the last batch.
    """

    def __init__(
        self, inner: SpanExporter, *, first: float = 1.0, longest: float = 60.0, tell_every: float = 600.0
    ) -> None:
        self._inner = inner
        self._pauses = Backoff(first, longest)
        self._tell_every = tell_every
        self._again_at = self._tell_at = 0.0
        self._lost = 0
        self.away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; never raises."""
        if self.away and time.monotonic() < self._again_at:
            self._lost += len(spans)
            return SpanExportResult.FAILURE
        try:
            result = self._inner.export(spans)
        except Exception:
            # Whatever a collector answers, the next batch may go well.
            result = SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            self._sent()
        else:
            self._failed(len(spans))
        return result

    def shutdown(self) -> None:
        """Break off what is being sent."""
        self._inner.shutdown()

    def _sent(self) -> None:
        if self.away:
            log.info("traces_are_sent_again", lost=self._lost)
            self._pauses.reset()
            self.away, self._lost, self._tell_at = False, 0, 0.0

    def _failed(self, spans: int) -> None:
        now = time.monotonic()
        self.away = True
        self._lost += spans
        self._again_at = now + self._pauses.next()
        if now >= self._tell_at:
            self._tell_at = now + self._tell_every
            log.warning("traces_are_not_sent", lost=self._lost, hint="See the collector of OCTAVIA_OTLP_ENDPOINT.")


class Tracing:
    """Makes spans, and hands them to a processor of the SDK when they have ended."""

    def __init__(self, processor: SpanProcessor, role: str, exporter: Patient | None = None) -> None:
        self._exporter = exporter
        # Not the SDK's own end: it waits for half a minute.
        self._provider = TracerProvider(resource=_resource(role), shutdown_on_exit=False, id_generator=_Ids())
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("octavia", __version__)

    @classmethod
    def to(cls, endpoint: str, role: str) -> "Tracing":
        """Send spans to the collector at that address, to which OTLP's path is added."""
        address = endpoint.rstrip("/").removesuffix(_PATH) + _PATH
        exporter = Patient(OTLPSpanExporter(address, timeout=_ANSWER_WITHIN))
        every = None if OTEL_BSP_SCHEDULE_DELAY in os.environ else _EVERY_MILLISECONDS
        return cls(BatchSpanProcessor(exporter, schedule_delay_millis=every), role, exporter)

    @contextmanager
    def span(self, name: str, attributes: Attributes | None, parent: str | None, kind: Kind) -> Iterator[Span]:
        """See ``spans.span``."""
        if parent is None and not trace.get_current_span().get_span_context().is_valid:
            yield Span()
            return
        span = self.begin(name, attributes, parent, (), kind, None)
        try:
            yield span
        except BaseException as error:
            span.fail(error.code if isinstance(error, OctaviaError) else type(error).__name__)
            raise
        finally:
            span.end()

    def begin(
        self,
        name: str,
        attributes: Attributes | None,
        parent: str | None,
        links: Sequence[str | None],
        kind: Kind,
        id: int | None,
    ) -> "_Span":
        """See ``spans.begin``."""
        return _Span(self._start(name, attributes, parent, links, kind, id, None))

    def record(
        self,
        name: str,
        attributes: Attributes,
        parent: str | None,
        kind: Kind,
        id: int,
        started: datetime,
        ended: datetime,
        error: str | None,
    ) -> None:
        """See ``spans.record``."""
        span = self._start(name, attributes, parent, (), kind, id, _nanoseconds(started))
        if error is not None:
            _fail(span, error)
        span.end(max(_nanoseconds(started), _nanoseconds(ended)))

    def link(self, traceparent: str | None) -> None:
        """See ``spans.link``."""
        if traceparent is not None:
            trace.get_current_span().add_link(_context_of(traceparent))

    def traceparent(self) -> str | None:
        """See ``spans.traceparent``."""
        found = trace.get_current_span().get_span_context()
        return make_traceparent(found.trace_id, found.span_id, found.trace_flags) if found.is_valid else None

    def shutdown(self, seconds: float) -> None:
        """Send what has ended, for ``seconds`` at most."""
        if self._exporter is not None and self._exporter.away:
            seconds = 0.0
        # Whoever ends must not wait for a collector that does not answer: the thread ends with the process.
        ending = threading.Thread(target=self._provider.shutdown, name="last_spans", daemon=True)
        ending.start()
        ending.join(seconds)

    def _start(
        self,
        name: str,
        attributes: Attributes | None,
        parent: str | None,
        links: Sequence[str | None],
        kind: Kind,
        id: int | None,
        start: int | None,
    ) -> SdkSpan:
        around = None
        if parent is not None:
            around = trace.set_span_in_context(NonRecordingSpan(_context_of(parent)), contexts.Context())
        token = _wanted_id.set(id)
        try:
            return self._tracer.start_span(
                name,
                around,
                _KINDS[kind],
                _present(attributes or {}),
                [Link(_context_of(each)) for each in links if each is not None],
                start,
            )
        finally:
            _wanted_id.reset(token)


class _Span(Span):
    """A span of the SDK, and the place that it has in this thread."""

    def __init__(self, span: SdkSpan) -> None:
        self._span = span
        self._thread = threading.get_ident()
        self._token: Token[contexts.Context] | None = contexts.attach(trace.set_span_in_context(span))

    def note(self, attributes: Attributes) -> None:
        self._span.set_attributes(_present(attributes))

    def fail(self, code: str) -> None:
        _fail(self._span, code)

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def end(self) -> None:
        if self._span.is_recording():
            self._span.end()
        if self._token is not None and self._thread == threading.get_ident():
            contexts.detach(self._token)
            self._token = None


def _fail(span: SdkSpan, code: str) -> None:
    span.set_attribute("error.type", code)
    span.set_status(Status(StatusCode.ERROR))


def _present(attributes: Attributes) -> dict[str, Value]:
    return {name: value for name, value in attributes.items() if value is not None}


def _context_of(traceparent: str) -> SpanContext:
    trace_id, span, flags = parsed(traceparent)
    return SpanContext(trace_id, span, is_remote=True, trace_flags=TraceFlags(flags))


def _nanoseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000) * 1000


def _resource(role: str) -> Resource:
    host = socket.gethostname()
    named = {} if os.environ.get(OTEL_SERVICE_NAME) else {"service.name": f"octavia-{role}"}
    return Resource.create(
        {
            **named,
            "service.version": __version__,
            "service.instance.id": f"{host}:{os.getpid()}",
            "host.name": host,
            "process.pid": os.getpid(),
        }
    )
