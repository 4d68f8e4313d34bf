"""Dead letters: the headers that a rejected message is given, and reading them, or RabbitMQ's own, again.

Anybody who can reach the broker may have written a header: nothing here trusts its shape.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
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
"""The time that RabbitMQ keeps a dead letter. It is an argument of the queue, and cannot change."""

_REASON, _QUEUE, _TIME, _RELEASE = (f"x-octavia-{name}" for name in ("reason", "queue", "time", "release"))
_HEADERS = "x-octavia-headers"
# These headers send a message to further queues.
_COPIES = frozenset({"CC", "BCC"})
# Headers that RabbitMQ, or we, add to a message that was moved or delivered again.
_NOTES = ("x-death", "x-first-death-", "x-last-death-", "x-delivery-count", "x-acquired-count", "x-octavia-")
# Properties go into one frame, usually of 128 KiB; larger ones would cost the connection.
_MOST_BYTES = 64 * 1024
_PERSISTENT = 2


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message on a queue of dead letters: no worker could process it.

    Attributes:
      id: Made from its queue, time and body, so that it stays as long as the letter does.
      queue: The logical queue that it was on.
      name: The real name of the queue of dead letters.
      died_at: The time it was put there, if known.
      release: The release of the worker that put it there; None if RabbitMQ did.
      message: The decoded body; None if it is no message of ours.
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
        """The headers as they are."""
        return self.properties.headers or {}

    @property
    def job_id(self) -> UUID | None:
        """The job that the message names; None if it names none."""
        try:
            return UUID(self.message.kwargs["job_id"]) if self.message else None
        except (KeyError, ValueError, TypeError, AttributeError):
            return None


def labelled(properties: pika.BasicProperties, *, queue: str, reason: str) -> pika.BasicProperties:
    """A message's properties for the dead letters: its own, with reason, queue (its real name), time and release."""
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
    """The properties without the headers that were added since the message was rejected."""
    original = _without_limits(properties)
    headers = properties.headers or {}
    original.headers = {name: value for name, value in headers.items() if not str(name).startswith(_NOTES)}
    return original


def dead_letter(queue: Queue, name: str, properties: pika.BasicProperties, body: bytes) -> DeadLetter:
    """A message that RabbitMQ delivered from the queue of dead letters with the real name ``name``."""
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
    """A copy that is persistent, does not expire, and names no user, which only the first sender may do."""
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
    """RabbitMQ's record of the last time that it moved the message."""
    deaths = headers.get("x-death")
    if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict):
        return deaths[0]
    return {}


def _time_of(value: object) -> datetime | None:
    with suppress(ValueError):
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(moment, datetime):
            return moment.replace(tzinfo=moment.tzinfo or UTC)
    return None
