"""Filters as conditions on ``Job``, which mean the same to SQLite and PostgreSQL."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op
from sqlmodel import col

from octavia.jobs.operations.filters import Term
from octavia.jobs.operations.words import META, Age, read_id
from octavia.jobs.tables.database import now
from octavia.jobs.tables.operation_rows import Attempt
from octavia.jobs.tables.queries import has_meta
from octavia.jobs.tables.rows import Job, Task
from octavia.jobs.tables.states import JobStatus, Priority, Queue, Stage, TaskStatus, queue_of

Clause = sa.ColumnElement[bool]

ENDED: Final = tuple(status for status in JobStatus if status.ended)

_SHORTEST_ID: Final = 8
"""Digits that a search takes for an id: fewer may be a word, such as ``bad``."""

_COSTLY: Final = ("", "name", META)

_PLUS: Final = custom_op[Any]("+")


def visible(owner: str | None) -> Iterator[Clause]:
    """Yield conditions for the jobs that an operator may see: of this owner, or of all; not deleted ones."""
    yield col(Job.deleted_at).is_(None)
    if owner is not None:
        yield col(Job.owner) == owner


def conditions(session: Session, terms: Sequence[Term]) -> Iterator[Clause]:
    """Yield a condition for each term."""
    asked = _Asked(session.get_bind().dialect.name == "postgresql", now(session))
    # Those that look into JSON last: SQLite looks at them in this order.
    for term in sorted(terms, key=lambda term: term.word.name in _COSTLY):
        clause = _CLAUSES[term.word.name](asked, term)
        # Of a column that is null, the opposite of a comparison would be no truth either.
        yield clause.is_not(sa.true()) if term.negated else clause


@dataclass(frozen=True, slots=True)
class _Asked:
    """The database that is asked, and its clock."""

    on_postgres: bool
    moment: datetime

    def unindexed(self, column: Any) -> Any:
        """Keep SQLite from an index of this column: it would sort all that it found, and the ids are in order already.

        PostgreSQL knows how many rows it will find, and chooses by that.
        """
        return column if self.on_postgres else UnaryExpression(column, operator=_PLUS, type_=column.type)


def _column(column: Any) -> Callable[[_Asked, Term], Clause]:
    return lambda asked, term: cast("Clause", asked.unindexed(column).in_(term.values))


def _is_urgent(asked: _Asked, term: Term) -> Clause:
    return col(Job.priority).in_([Priority(value).level for value in term.values])


def _is_old(asked: _Asked, term: Term) -> Clause:
    return sa.or_(*(_since(asked, Job.created_at, age) for age in term.values))


def _has_ended(asked: _Asked, term: Term) -> Clause:
    # One that is run again has no end until it ends again.
    ended = asked.unindexed(col(Job.status)).in_(ENDED)
    return sa.and_(ended, sa.or_(*(_since(asked, Job.finished_at, age) for age in term.values)))


def _since(asked: _Asked, column: Any, age: Age) -> Clause:
    moment, then = asked.unindexed(column), asked.moment - age.than
    return cast("Clause", moment <= then if age.older else moment > then)


def _is_queued(asked: _Asked, term: Term) -> Clause:
    queues: Sequence[Queue] = term.values
    stages = [stage for stage in Stage if queue_of(stage) in queues]
    in_hand = col(Task.status).in_((TaskStatus.QUEUED, TaskStatus.RUNNING))
    return col(Job.id).in_(sa.select(col(Task.job_id)).where(in_hand, asked.unindexed(col(Task.stage)).in_(stages)))


def _is_worked_on(asked: _Asked, term: Term) -> Clause:
    def is_one(column: Any) -> Clause:
        return sa.or_(*(_is_worker(asked, column, name) for name in term.values))

    running = sa.select(col(Task.job_id)).where(col(Task.status) == TaskStatus.RUNNING, is_one(col(Task.worker)))
    ended = sa.select(col(Attempt.job_id)).where(is_one(col(Attempt.worker)))
    return col(Job.id).in_(sa.union_all(running, ended))


def _is_worker(asked: _Asked, column: Any, name: str) -> Clause:
    """Condition on a worker's id, ``host:pid:slot``: it is this one, or one of this host."""
    # Each as its database finds it by an index.
    begins = (
        column.startswith(f"{name}:", autoescape=True) if asked.on_postgres else column.between(f"{name}:", f"{name};")
    )
    return sa.or_(column == name, begins)


def _has_language(asked: _Asked, term: Term) -> Clause:
    known = [language.lower() for language in term.values]
    return sa.or_(col(Job.source_language).in_(known), col(Job.target_language).in_(known))


def _is_named(asked: _Asked, term: Term) -> Clause:
    name = col(Job.input)["filename"].as_string()
    # In SQLite upper and lower case are alike anyway.
    contains = name.icontains if asked.on_postgres else name.contains
    return sa.or_(*(contains(part, autoescape=True) for part in term.values))


def _has_id(asked: _Asked, term: Term) -> Clause:
    return sa.or_(*(_begins(digits) for digits in term.values))


def _begins(digits: str) -> Clause:
    return col(Job.id).between(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f")))


def _is_found(asked: _Asked, term: Term) -> Clause:
    named = _is_named(asked, term)
    try:
        digits = read_id(term.values[0])
    except ValueError:
        return named
    return named if len(digits) < _SHORTEST_ID else sa.or_(named, _begins(digits))


def _has_field(asked: _Asked, term: Term) -> Clause:
    return sa.or_(*(has_meta(term.field, value, on_postgres=asked.on_postgres) for value in term.values))


_CLAUSES: Final[dict[str, Callable[[_Asked, Term], Clause]]] = {
    "": _is_found,
    META: _has_field,
    "owner": lambda asked, term: col(Job.owner).in_(term.values),
    "status": _column(col(Job.status)),
    "type": _column(col(Job.type)),
    "code": _column(col(Job.error_code)),
    "stage": _column(col(Job.stage)),
    "queue": _is_queued,
    "worker": _is_worked_on,
    "priority": _is_urgent,
    "language": _has_language,
    "name": _is_named,
    "id": _has_id,
    "age": _is_old,
    "ended": _has_ended,
}
"""By the name of the word."""
