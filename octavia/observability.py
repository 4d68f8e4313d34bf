"""Logs: structured, one line an event, ours and the libraries' alike; never a user's text at info, never a secret."""

import logging
import sys

import structlog

from octavia.settings import Settings

# What these have to say below the level is either said by our own events or of use to their authors only.
_QUIET = {
    "pika": logging.CRITICAL,
    "dramatiq": logging.WARNING,
    "periodiq": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "faster_whisper": logging.WARNING,
    "phonemizer": logging.ERROR,
}
# Below these levels they tell what must be in no log: whole addresses, in which clients may have signatures and tokens;
# the headers of WebSockets, keys and all; what is sent to those who watch a job, which is what users have said.
_INDISCREET = {
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "sse_starlette": logging.INFO,
    "uvicorn.error": logging.INFO,
    "websockets": logging.INFO,
}
_UVICORN = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")


def configure(settings: Settings) -> None:
    """Send all logs to standard error, as ``log_format`` and ``log_level`` say. May be called again."""
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
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(settings)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    logging.captureWarnings(True)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(logging.DEBUG if settings.log_level == "debug" else level)
    for name, level in _INDISCREET.items():
        logging.getLogger(name).setLevel(max(level, root.level))
    for name in _UVICORN:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    _drop_what_the_middleware_says()


def _rendering(settings: Settings) -> list[structlog.typing.Processor]:
    # Tracebacks without local variables, in either form: those hold what users have said and how to log in.
    if settings.log_format == "console":
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer(ensure_ascii=False)]


def _drop_what_the_middleware_says() -> None:
    """Dramatiq logs a traceback for each exception of an actor, be it a mere cancel; ours tell failures apart."""
    worker = logging.getLogger("dramatiq.worker.WorkerThread")
    if _told_by_us not in worker.filters:
        worker.addFilter(_told_by_us)


def _told_by_us(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(("Failed to process message", "Message %s was skipped"))
