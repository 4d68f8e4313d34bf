"""The checks of ``octavia doctor`` on RabbitMQ; they declare no queues."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from octavia.brokers.connections import Failure, connection_parameters
from octavia.cli.broker import connection_error, quiet_pika, version
from octavia.cli.doctor.findings import Finding, Verdict
from octavia.jobs.tables.states import Queue
from octavia.settings import Settings
from octavia.urls import Url, parse

if TYPE_CHECKING:
    from octavia.brokers.queues import QueueType

# Older quorum queues cannot expire messages, as dead letters need.
_QUORUM_SINCE = (3, 10)
_QUORUM_PRIORITIES_SINCE = (4, 0)
# The most loads of one task: a recording, and models to recognise, translate (two, by way of English) and speak.
_LOADS = 5


def broker(settings: Settings) -> list[Finding]:
    """Check that RabbitMQ answers, has the queues, and waits as long as a task may take; report waiting messages."""
    if settings.embedded:
        return [Finding("broker", Verdict.GOOD, "embedded: OCTAVIA_BROKER_URL is not set")]
    quiet_pika()
    refused = {url: connection_error(url) for url in settings.brokers}
    up = next((url for url, reason in refused.items() if reason is None), None)
    findings = [_node(url, reason, alone=up is None) for url, reason in refused.items()]
    return findings if up is None else [*findings, *_inside(settings, up)]


def needed_consumer_timeout(settings: Settings) -> int:
    """The longest time, in ms, that a worker may take to acknowledge a message under these settings."""
    from octavia.middleware.time_limits import limits_for

    longest = limits_for(settings, max(settings.chunk_seconds, settings.max_media_seconds)).hard
    return int(1000 * (longest + _LOADS * settings.load_limit_seconds))


def _node(url: str, refused: Failure | None, *, alone: bool) -> Finding:
    parts = parse(url)
    where = f"{parts.host or 'localhost'}:{parts.port}"
    if refused is None:
        return Finding("broker", Verdict.GOOD, f"{where} answers{' over TLS' if parts.scheme == 'amqps' else ''}")
    detail = f"{where} does not answer: {refused.reason}"
    if alone:
        remedy = "Start it (`make rabbitmq` starts a private one), or correct OCTAVIA_BROKER_URL."
        return Finding("broker", Verdict.BAD, detail, refused.remedy or remedy)
    remedy = refused.remedy or "Start it, or correct OCTAVIA_BROKER_URL."
    return Finding("broker", Verdict.NOTE, detail, f"{remedy} Another is in use.")


def _inside(settings: Settings, url: str) -> Iterator[Finding]:
    import pika

    connection = pika.BlockingConnection(connection_parameters(url))
    try:
        yield from _queues(settings, connection)
        yield from _other_type(settings, connection)
        yield _dead_letters(settings, connection)
    finally:
        connection.close()
    yield _consumer_timeout(settings, parse(url))


def _queues(settings: Settings, connection: Any) -> Iterator[Finding]:
    from octavia.brokers.queues import Names

    runs = version(connection)
    shown = ".".join(map(str, runs)) or "of an unknown version"
    detail = f"{settings.queue_type}, in RabbitMQ {shown}"
    if settings.queue_type == "quorum":
        if runs and runs < _QUORUM_SINCE:
            remedy = "Use RabbitMQ 3.10 or later, or OCTAVIA_QUEUE_TYPE=classic."
            yield Finding("queues", Verdict.BAD, f"{detail}, which is too old for them", remedy)
            return
        detail += "; high is a queue of its own, read first"
        if runs and runs < _QUORUM_PRIORITIES_SINCE:
            detail += ": before RabbitMQ 4 these have no priorities"
    names = Names(settings.queue_prefix, settings.queue_type)
    waiting = {queue: _counts(connection, names.all(queue)) for queue in Queue}
    held = ", ".join(f"{queue} {sum(counts.values())}" for queue, counts in waiting.items() if counts)
    detail += f"; messages waiting: {held or 'none'}"
    missing = [queue.value for queue, counts in waiting.items() if not counts]
    if missing:
        detail += f"; not declared yet: {', '.join(missing)}"
        yield Finding("queues", Verdict.NOTE, detail, "Workers declare them: octavia worker")
    else:
        yield Finding("queues", Verdict.GOOD, detail)


def _other_type(settings: Settings, connection: Any) -> Iterator[Finding]:
    from octavia.brokers.queues import Names

    other: QueueType = "classic" if settings.queue_type == "quorum" else "quorum"
    names = Names(settings.queue_prefix, other)
    left = _counts(connection, [name for queue in Queue for name in names.all(queue)])
    held = ", ".join(f"{name} {count}" for name, count in left.items() if count)
    if held:
        yield Finding(
            "queues",
            Verdict.NOTE,
            f"{other} queues, which workers with these settings do not read, hold messages: {held}",
            "Delete them once no worker uses them: their tasks are sent again automatically "
            "(docs/operations.md, From one type to the other).",
        )


def _dead_letters(settings: Settings, connection: Any) -> Finding:
    from octavia.brokers.queues import TYPES, Names

    dead = [Names(settings.queue_prefix, type_).dead(queue) for type_ in TYPES for queue in Queue]
    held = {name: count for name, count in _counts(connection, dead).items() if count}
    if not held:
        return Finding("dead letters", Verdict.GOOD, "none")
    detail = ", ".join(f"{name} {count}" for name, count in held.items())
    return Finding("dead letters", Verdict.NOTE, detail, "octavia dead-letters list")


def _consumer_timeout(settings: Settings, where: Url) -> Finding:
    from rabbitmq.control import consumer_timeout

    subject = "consumer timeout"
    needed = needed_consumer_timeout(settings)
    here = where.host in ("", "127.0.0.1", "localhost", "::1")
    running = consumer_timeout(where.port) if here and where.port else None
    remedy = f"Set consumer_timeout = {needed} or more in rabbitmq.conf of every node."
    if running is None:
        asked = "rabbitmqctl eval 'application:get_env(rabbit, consumer_timeout).'"
        detail = f"cannot be read from here; tasks may take {needed} ms under the current limits"
        return Finding(subject, Verdict.NOTE, detail, f"{remedy} On its machine, {asked} shows the present value.")
    if running < needed:
        detail = f"{running} ms, but tasks may take {needed} ms under the current limits"
        return Finding(subject, Verdict.NOTE, f"{detail}: RabbitMQ would deliver long ones a second time", remedy)
    return Finding(subject, Verdict.GOOD, f"{running} ms; tasks take {needed} ms at most")


def _counts(connection: Any, names: "list[str] | tuple[str, ...]") -> Mapping[str, int]:
    from octavia.brokers.rabbit import message_count

    found = {name: message_count(connection, name) for name in names}
    return {name: count for name, count in found.items() if count is not None}
