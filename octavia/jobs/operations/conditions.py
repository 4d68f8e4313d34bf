"""Filters as conditions on ``Job`` that SQLite and PostgreSQL answer alike; each is true or false, never null."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.operations.filters import Term
from octavia.jobs.operations.words import FIELD, Age, read_id
from octavia.jobs.tables.database import now
from octavia.jobs.tables.operation_rows import Attempt
from octavia.jobs.tables.queries import has_meta
from octavia.jobs.tables.rows import Job, Task
from octavia.jobs.tables.states import JobStatus, Priority, Queue, Stage, TaskStatus, queue_of

Clause = sa.ColumnElement[bool]

_SHORTEST_ID: Final = 8
"""Digits of an id that a search takes for one: shorter ones are words, such as ``bad``."""

ENDED: Final = tuple(status for status in JobStatus if status.ended)


def visible(owner: str | None) -> Iterator[Clause]:
    """Yield conditions for the jobs that an operator may see: of this owner, or of all; not deleted ones."""
    yield col(Job.deleted_at).is_(None)
    if owner is not None:
        yield col(Job.owner) == owner


def conditions(session: Session, terms: Sequence[Term]) -> Iterator[Clause]:
    """Yield a condition for each term."""
    on_postgres = session.get_bind().dialect.name == "postgresql"
    moment = now(session)
    for term in terms:
        if term.word is FIELD:
            clause = sa.or_(*(has_meta(term.field, value, on_postgres=on_postgres) for value in term.values))
        elif (ages := _AGES.get(term.word.name)) is not None:
            clause = sa.or_(*(ages(age, moment) for age in term.values))
        else:
            clause = _CLAUSES[term.word.name](term.values)
        # Of a column that is null, the opposite of a comparison is no truth either.
        yield clause.is_not(sa.true()) if term.negated else clause


def _submitted(age: Age, moment: datetime) -> Clause:
    then = moment - age.than
    return col(Job.created_at) <= then if age.older else col(Job.created_at) > then


def _ended(age: Age, moment: datetime) -> Clause:
    then = moment - age.than
    bound = col(Job.finished_at) <= then if age.older else col(Job.finished_at) > then
    return sa.and_(col(Job.status).in_(ENDED), bound)


def _in_queue(queues: Sequence[Queue]) -> Clause:
    stages = [stage for stage in Stage if queue_of(stage) in queues]
    open_task = sa.select(col(Task.job_id)).where(
        col(Task.status).in_((TaskStatus.QUEUED, TaskStatus.RUNNING)), col(Task.stage).in_(stages)
    )
    return col(Job.id).in_(open_task)


def _on_worker(names: Sequence[str]) -> Clause:
    running = sa.select(col(Task.job_id)).where(
        col(Task.status) == TaskStatus.RUNNING, sa.or_(*(_is_worker(col(Task.worker), name) for name in names))
    )
    ended = sa.select(col(Attempt.job_id)).where(sa.or_(*(_is_worker(col(Attempt.worker), name) for name in names)))
    return sa.or_(col(Job.id).in_(running), col(Job.id).in_(ended))


def _is_worker(column: Any, name: str) -> Clause:
    """Condition on a worker's id, ``host:pid:slot``: it is this one, or one of this host."""
    return sa.or_(column == name, column.startswith(f"{name}:", autoescape=True))


def _has_language(languages: Sequence[str]) -> Clause:
    known = [language.lower() for language in languages]
    return sa.or_(col(Job.source_language).in_(known), col(Job.target_language).in_(known))


def _is_named(parts: Sequence[str]) -> Clause:
    name = col(Job.input)["filename"].as_string()
    return sa.or_(*(name.icontains(part, autoescape=True) for part in parts))


def _has_id(beginnings: Sequence[str]) -> Clause:
    return sa.or_(
        *(col(Job.id).between(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))) for digits in beginnings)
    )


def _is_found(texts: Sequence[str]) -> Clause:
    (text,) = texts
    try:
        digits = read_id(text)
    except ValueError:
        digits = ""
    return sa.or_(_is_named(texts), _has_id([digits])) if len(digits) >= _SHORTEST_ID else _is_named(texts)


_CLAUSES: Final[dict[str, Callable[[Sequence[Any]], Clause]]] = {
    "": _is_found,
    "owner": lambda owners: col(Job.owner).in_(owners),
    "status": lambda statuses: col(Job.status).in_(statuses),
    "type": lambda types: col(Job.type).in_(types),
    "code": lambda codes: col(Job.error_code).in_(codes),
    "stage": lambda stages: col(Job.stage).in_(stages),
    "queue": _in_queue,
    "worker": _on_worker,
    "priority": lambda priorities: col(Job.priority).in_([Priority(one).level for one in priorities]),
    "language": _has_language,
    "name": _is_named,
    "id": _has_id,
}
_AGES: Final = {"age": _submitted, "ended": _ended}
