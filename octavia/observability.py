"""Structured logs, one line per event, ours and the libraries'; never with a secret, nor a user's text at info."""

import logging
import os
import sys
from typing import Any

import structlog

from octavia.repeated_lines import CountingHandler
from octavia.settings import Settings
from octavia.urls import without_logins

FORCE_COLOR = "FORCE_COLOR"
"""The environment variable that asks for colours where they are passed on to a terminal."""

# No library is heard below a warning, except to debug. These warn, too, of what our own events say or nobody needs.
_QUIET = {"pika": logging.CRITICAL, "phonemizer": logging.ERROR, "opentelemetry": logging.CRITICAL}
# Below these levels they log what must be in no log: whole addresses, which may have signatures and tokens in them;
# headers of WebSockets, with keys; events of jobs, with users' speech.
_INDISCREET = {
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "sse_starlette": logging.INFO,
    "uvicorn.error": logging.INFO,
    "websockets": logging.INFO,
}


def configure(settings: Settings) -> None:
    """Send all logs to standard error, in the settings' ``log_format`` and ``log_level``. May be called again."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = CountingHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(settings)],
        )
    )
    if settings.log_level != "debug":
        handler.addFilter(_is_ours_or_a_warning)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    logging.captureWarnings(True)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(logging.DEBUG if settings.log_level == "debug" else level)
    for name, level in _INDISCREET.items():
        logging.getLogger(name).setLevel(max(level, root.level))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    # Dramatiq's own log of an actor's exception: ours tells a failure from a mere cancel.
    logging.getLogger("dramatiq.worker.WorkerThread").addFilter(_is_not_logged_by_us)


def _rendering(settings: Settings) -> list[structlog.typing.Processor]:
    # Tracebacks without local variables in either format: those may hold users' speech and passwords.
    if settings.log_format == "console":
        plain = structlog.dev.plain_traceback
        colors = sys.stderr.isatty() or bool(os.environ.get(FORCE_COLOR))
        return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain), _without_logins]
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    json = structlog.processors.JSONRenderer(ensure_ascii=False)
    return [structlog.processors.ExceptionRenderer(tracebacks), json, _without_logins]


def _without_logins(_logger: object, _method: str, line: Any) -> str:
    """Remove the logins of URLs that a library's message or exception may hold."""
    return without_logins(str(line))


def _is_ours_or_a_warning(record: logging.LogRecord) -> bool:
    # Our events come as structlog makes them, in a dict.
    return isinstance(record.msg, dict) or record.levelno >= logging.WARNING


def _is_not_logged_by_us(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(("Failed to process message", "Message %s was skipped"))
