"""Traces of OpenTelemetry: where the time of a request and of its job goes, over all processes that had a part in it.

Off unless ``OCTAVIA_OTLP_ENDPOINT`` is set. While it is off, a span is a comparison, and nothing of OpenTelemetry is
imported, which only ``exporter`` does. Knows nothing of jobs, queues or HTTP. Begin with ``spans``.
"""

from octavia.tracing.context import trace_id_of, valid_traceparent
from octavia.tracing.spans import (
    begin,
    configure,
    is_on,
    link,
    record,
    shutdown,
    span,
    span_id,
    trace_id,
    traceparent,
    use,
)
from octavia.tracing.types import Attributes, Span

__all__ = [
    "Attributes",
    "Span",
    "begin",
    "configure",
    "is_on",
    "link",
    "record",
    "shutdown",
    "span",
    "span_id",
    "trace_id",
    "trace_id_of",
    "traceparent",
    "use",
    "valid_traceparent",
]
