"""A stand-in for an OpenTelemetry collector: takes OTLP over HTTP, decodes it, and keeps the spans."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.waiting import until


@dataclass(frozen=True)
class Got:
    """A span as it was sent; ``seconds`` from its start to its end."""

    service: str
    trace: str
    id: str
    parent: str
    name: str
    kind: int
    seconds: float
    failed: bool
    attributes: dict[str, Any]
    links: tuple[str, ...] = ()
    resource: dict[str, Any] = field(default_factory=dict)


class Collector:
    """Takes traces on a free port; a context manager.

    Attributes:
      answer: Called with each request's handler after its spans were kept; None answers 200.
      raw: The bodies, as they came.
    """

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler], None] | None = None) -> None:
        self.answer = answer
        self.raw: list[bytes] = []
        self.paths: list[str] = []
        self._spans: list[Got] = []
        self._lock = threading.Lock()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector._take(self)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def spans(self) -> list[Got]:
        with self._lock:
            return list(self._spans)

    def named(self, name: str) -> list[Got]:
        return [span for span in self.spans if span.name == name]

    def of_trace(self, trace: str) -> list[Got]:
        return [span for span in self.spans if span.trace == trace]

    def until(self, condition: Callable[[], object], seconds: float = 60) -> None:
        until(condition, seconds)

    def __enter__(self) -> "Collector":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        found = _decoded(body)
        with self._lock:
            self.raw.append(body)
            self.paths.append(request.path)
            self._spans += found
        if self.answer is not None:
            self.answer(request)
            return
        request.send_response(200)
        request.send_header("Content-Length", "0")
        request.end_headers()


def _decoded(body: bytes) -> list[Got]:
    sent = ExportTraceServiceRequest()
    sent.ParseFromString(body)
    return [
        Got(
            service=_values(group.resource.attributes)["service.name"],
            trace=span.trace_id.hex(),
            id=span.span_id.hex(),
            parent=span.parent_span_id.hex(),
            name=span.name,
            kind=span.kind,
            seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
            failed=span.status.code == 2,
            attributes=_values(span.attributes),
            links=tuple(link.span_id.hex() for link in span.links),
            resource=_values(group.resource.attributes),
        )
        for group in sent.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
