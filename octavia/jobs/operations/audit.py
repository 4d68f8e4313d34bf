"""The record of operators' actions: who, when, what, and how many."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.tables.cursors import read_cursor, write_cursor
from octavia.jobs.tables.database import Database, now
from octavia.jobs.tables.operation_rows import OperatorAction
from octavia.jobs.tables.records import copied


@dataclass(frozen=True, slots=True)
class ActionRecord:
    """An action: the columns of ``operation_rows.OperatorAction``."""

    id: UUID
    at: datetime
    by: str
    action: str
    target: str
    count: int
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Some actions, newest first, and the cursor of the next page; None on the last one."""

    actions: tuple[ActionRecord, ...]
    next_cursor: str | None


def record(
    session: Session, *, by: str, action: str, target: str, count: int, detail: dict[str, Any] | None = None
) -> UUID:
    """Write an action down, in the transaction that carries it out; returns its id.

    Parameters:
      by: Who ordered it: ``Principal.by``, or the user of the command line.
      target: The filter or the names that it was given, as written.
      count: How many jobs, queues or messages it changed.
    """
    row = OperatorAction(at=now(session), by=by, action=action, target=target, count=count, detail=detail or {})
    session.add(row)
    session.flush()
    return row.id


def advance(session: Session, action_id: UUID, *, count: int, detail: dict[str, Any]) -> None:
    """Write down how far an action has come that takes several transactions, in each of them."""
    row = session.get_one(OperatorAction, action_id)
    row.count, row.detail = count, detail


def list_actions(db: Database, *, cursor: str | None = None, limit: int = 50) -> Page:
    """List the actions, newest first, a page at a time. Raises ``InputError`` (``invalid_cursor``)."""
    query = sa.select(OperatorAction).order_by(col(OperatorAction.id).desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(col(OperatorAction.id) < read_cursor(cursor))
    with db.reading() as session:
        found = tuple(copied(ActionRecord, row) for row in session.scalars(query))
    actions = found[:limit]
    return Page(actions, write_cursor(actions[-1].id) if len(found) > limit else None)
