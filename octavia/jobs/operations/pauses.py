"""Pausing, draining and resuming the workers of a queue, of a host, or of a queue on a host."""

from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col
from uuid_utils.compat import uuid7

from octavia.errors import InputError, NotFound
from octavia.jobs.operations import audit
from octavia.jobs.tables.database import insert, now, transaction
from octavia.jobs.tables.operation_rows import Pause
from octavia.jobs.tables.pauses import RESUMED, PauseRecord
from octavia.jobs.tables.states import PauseMode, Queue

REASON_CHARS: Final = 500
_HOST_CHARS: Final = 255
_EVERYTHING: Final = "everything"


@transaction
def pause(
    session: Session, queue: Queue | None, host: str | None, mode: PauseMode, *, reason: str = "", by: str
) -> PauseRecord:
    """Order that workers take no more tasks; repeating it changes nothing, another mode or reason replaces the first.

    Parameters:
      queue, host: The one queue, and the one host as its workers name it, that it concerns; None: all.
      by: Who orders it.

    Raises ``InputError`` (``invalid_field``) for a host that no machine can have, or a reason that is too long.
    """
    named = {"queue": queue.value if queue else "", "host": _checked_host(host)}
    if len(reason) > REASON_CHARS or "\0" in reason:
        raise InputError(
            f"The reason is longer than {REASON_CHARS} characters, or has a NUL in it.",
            code="invalid_field",
            hint="Say it in a sentence.",
            field="reason",
        )
    wanted = {"mode": mode, "reason": reason}
    new = {"by": by, "created_at": now(session), **wanted}
    row = insert(session, Pause).values(id=uuid7(), **named, **new)
    changed = sa.or_(*(getattr(row.excluded, name) != getattr(Pause, name) for name in wanted))
    # Two orders at once: one of them is first, and the other one sees its row.
    upsert = row.on_conflict_do_update(index_elements=list(named), set_=new, where=changed).returning(col(Pause.id))
    if session.scalars(upsert).first() is not None:
        target = target_of(named["queue"], named["host"])
        audit.record(session, by=by, action=mode.value, target=target, count=1, detail={**named, "reason": reason})
    return PauseRecord.from_row(session.scalars(sa.select(Pause).filter_by(**named)).one())


@transaction
def resume(session: Session, pause_id: UUID, *, by: str) -> PauseRecord:
    """End a pause, and return it. Raises ``NotFound`` (``pause_not_found``) if it is not in force."""
    return _end(session, sa.select(Pause).where(col(Pause.id) == pause_id), by)


@transaction
def resume_named(session: Session, queue: Queue | None, host: str | None, *, by: str) -> PauseRecord:
    """End the pause of exactly this queue and host (None: all), as ``resume``."""
    named = {"queue": queue.value if queue else "", "host": _checked_host(host)}
    return _end(session, sa.select(Pause).filter_by(**named), by)


def target_of(queue: str, host: str) -> str:
    """Return the name of what a pause concerns, for people; an empty queue or host stands for all."""
    if not host:
        return f"queue {queue}" if queue else _EVERYTHING
    return f"queue {queue} on host {host}" if queue else f"host {host}"


def _end(session: Session, wanted: sa.Select[Pause], by: str) -> PauseRecord:
    row = session.scalars(wanted.with_for_update()).one_or_none()
    if row is None:
        raise NotFound(
            "There is no such pause.", code="pause_not_found", hint="`octavia queues list` shows those in force."
        )
    ended = PauseRecord.from_row(row)
    session.delete(row)
    detail = {"queue": ended.queue, "host": ended.host, "mode": ended.mode.value}
    audit.record(session, by=by, action=RESUMED, target=target_of(ended.queue, ended.host), count=1, detail=detail)
    return ended


def _checked_host(host: str | None) -> str:
    if host is None:
        return ""
    if not 0 < len(host) <= _HOST_CHARS or not host.isprintable() or any(sign.isspace() for sign in host):
        raise InputError(
            "This is no name of a host.",
            code="invalid_field",
            hint="Name it as `hostname` does on that machine; the list of workers has it.",
            field="host",
        )
    return host
