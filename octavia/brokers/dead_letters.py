"""What a dead letter says of itself: the headers that it is given, and how they, or RabbitMQ's, are read again.

Whatever a header holds may come from anybody who can reach the broker: nothing here trusts its shape.
"""

import hashlib
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pika

from octavia import __version__
from octavia.brokers.queues import decoded
from octavia.jobs.protocol.messages import Message
from octavia.jobs.tables.states import Queue

KEPT = timedelta(days=7)
"""So long a dead letter waits to be looked at. It is an argument of its queue, and so for ever."""

_REASON, _QUEUE, _TIME, _RELEASE = (f"x-octavia-{name}" for name in ("reason", "queue", "time", "release"))
_HEADERS = "x-octavia-headers"
# By these a message is sent to further queues.
_COPIES = frozenset({"CC", "BCC"})
# RabbitMQ's own notes on a message that it moved or delivered again.
_NOTES = ("x-death", "x-first-death-", "x-last-death-", "x-delivery-count", "x-acquired-count", "x-octavia-")
# Properties go into one frame, of 128 KiB as a rule; one that does not fit would cost the connection.
_MOST_BYTES = 64 * 1024
_PERSISTENT = 2


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that nobody could work on, as it lies on a queue of dead letters.

    Attributes:
      id: Tells it from others, and stays the same as long as it lies there.
      queue: The work queue it was on, by its logical name.
      name: The real name of the queue it lies on.
      died_at: When it was put there, if that is known.
      release: Of the worker that put it there; None if it was RabbitMQ itself.
      message: What it says, if it is a message of ours.
    """

    id: str
    queue: Queue
    name: str
    died_at: datetime | None
    reason: str
    release: str | None
    properties: pika.BasicProperties
    body: bytes
    message: Message | None

    @property
    def headers(self) -> Mapping[str, Any]:
        """As they are."""
        return self.properties.headers or {}

    @property
    def job_id(self) -> UUID | None:
        """The job that it names."""
        try:
            return UUID(self.message.kwargs["job_id"]) if self.message else None
        except (KeyError, ValueError, TypeError, AttributeError):
            return None


def labelled(properties: pika.BasicProperties, *, queue: str, reason: str) -> pika.BasicProperties:
    """The properties of a message put with the dead letters: its own, and why, whence, when and by which release.

    Parameters:
      queue: The real name of the queue it was on.
    """
    headers = {name: value for name, value in (properties.headers or {}).items() if name not in _COPIES}
    ours = {
        _REASON: reason,
        _QUEUE: queue,
        _TIME: datetime.now(UTC).isoformat(timespec="microseconds"),
        _RELEASE: __version__,
    }
    labelled = _without_limits(properties)
    labelled.headers = headers | ours
    if not _can_be_sent(labelled):
        labelled = pika.BasicProperties(headers=ours | {_HEADERS: "left out"}, delivery_mode=_PERSISTENT)
    return labelled


def unlabelled(properties: pika.BasicProperties) -> pika.BasicProperties:
    """What the message had before it died."""
    original = _without_limits(properties)
    headers = properties.headers or {}
    original.headers = {name: value for name, value in headers.items() if not str(name).startswith(_NOTES)}
    return original


def dead_letter(queue: Queue, name: str, properties: pika.BasicProperties, body: bytes) -> DeadLetter:
    """What RabbitMQ delivered from a queue of dead letters."""
    headers = properties.headers or {}
    death = _last_death(headers)
    died_at = _time_of(headers.get(_TIME) or death.get("time"))
    reason = headers.get(_REASON) or death.get("reason")
    release = headers.get(_RELEASE)
    return DeadLetter(
        id=hashlib.sha256(f"{name} {died_at} ".encode() + body).hexdigest()[:12],
        queue=queue,
        name=name,
        died_at=died_at,
        reason=str(reason or "unknown"),
        release=str(release) if release else None,
        properties=properties,
        body=body,
        message=decoded(body),
    )


def _without_limits(properties: pika.BasicProperties) -> pika.BasicProperties:
    """The same, to be kept, and without what only its first sender may say."""
    kept = copy(properties)
    kept.user_id = kept.expiration = None
    kept.delivery_mode = _PERSISTENT
    return kept


def _can_be_sent(properties: pika.BasicProperties) -> bool:
    try:
        return sum(map(len, properties.encode())) <= _MOST_BYTES
    except Exception:  # pika takes in some values that it cannot write
        return False


def _last_death(headers: Mapping[str, Any]) -> Mapping[str, Any]:
    """RabbitMQ's note on the last time that it moved the message."""
    deaths = headers.get("x-death")
    if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict):
        return deaths[0]
    return {}


def _time_of(value: object) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
