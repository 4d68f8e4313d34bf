"""Spans, as the other rooms make them. While tracing is off, each call is one comparison."""

import atexit
import hashlib
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Final

from octavia.errors import InputError
from octavia.settings import Settings
from octavia.tracing.context import trace_id_of
from octavia.tracing.types import Attributes, Kind, Span

if TYPE_CHECKING:
    from octavia.tracing.exporter import Tracing

_SHUTDOWN_SECONDS: Final = 2.0


_NONE: Final = Span()
_NO_SPAN: Final = nullcontext(_NONE)
_tracing: "Tracing | None" = None


def configure(settings: Settings, role: str) -> None:
    """Begin to trace, if the settings say so; what has ended is sent when the process ends. May be called again.

    Parameters:
      role: Of this process in the service: ``api``, ``worker``, ``supervisor``, ``scheduler`` or ``local``.

    Raises ``InputError`` (``invalid_setting``) if OpenTelemetry is not installed.
    """
    global _tracing
    if not settings.otlp_endpoint or _tracing is not None:
        return
    try:
        from octavia.tracing.exporter import Tracing
    except ImportError as error:
        raise InputError(
            f"Traces cannot be sent: {error.name} is not installed.",
            code="invalid_setting",
            hint="Run pip install 'octavia[otel]', or unset OCTAVIA_OTLP_ENDPOINT.",
        ) from None
    use(Tracing.to(settings.otlp_endpoint, role))
    atexit.register(shutdown)


def use(tracing: "Tracing | None") -> None:
    """Make spans with this from now on; None turns tracing off."""
    global _tracing
    _tracing = tracing


def shutdown(seconds: float = _SHUTDOWN_SECONDS) -> None:
    """Send what has ended, for ``seconds`` at most, and stop to trace. A collector that is away loses the rest."""
    global _tracing
    if _tracing is not None:
        tracing, _tracing = _tracing, None
        tracing.shutdown(seconds)


def is_on() -> bool:
    """Return whether this process traces."""
    return _tracing is not None


def span(
    name: str, attributes: Attributes | None = None, *, parent: str | None = None, kind: Kind = "internal"
) -> AbstractContextManager[Span]:
    """Trace a block as a part of the span around it, if there is one; an error that leaves the block marks the span.

    Parameters:
      parent: The ``traceparent`` of a span elsewhere that this one belongs to instead.
    """
    if _tracing is None:
        return _NO_SPAN
    return _tracing.span(name, attributes, parent, kind)


def begin(
    name: str,
    attributes: Attributes | None = None,
    *,
    parent: str | None = None,
    links: Sequence[str | None] = (),
    kind: Kind = "internal",
    id: int | None = None,
) -> Span:
    """Begin a span that lasts beyond a block, and is the one around those of this thread until it has ended.

    Parameters:
      links: The ``traceparent`` of spans that led to this one.
      id: Its id, from ``span_id``, if others have to know it.
    """
    return _NONE if _tracing is None else _tracing.begin(name, attributes, parent, links, kind, id)


def record(
    name: str,
    attributes: Attributes,
    *,
    parent: str | None,
    kind: Kind = "internal",
    id: int,
    started: datetime,
    ended: datetime,
    error: str | None,
) -> None:
    """Tell of a span that has ended elsewhere, in a process that cannot tell itself; ``error`` is a code."""
    if _tracing is not None:
        _tracing.record(name, attributes, parent, kind, id, started, ended, error)


def link(traceparent: str | None) -> None:
    """Link the span around this call to another one that it has to do with."""
    if _tracing is not None:
        _tracing.link(traceparent)


def traceparent() -> str | None:
    """Return the context of the span around this call; None without one."""
    return None if _tracing is None else _tracing.traceparent()


def trace_id() -> str | None:
    """Return the id of the trace around this call; None without one."""
    return trace_id_of(traceparent())


def span_id(*names: object) -> int:
    """Make the id of a span of these names, so that any process can tell of it."""
    digest = hashlib.sha256(":".join(map(str, names)).encode()).digest()
    return int.from_bytes(digest[:8]) or 1
