"""Writes that wait for each other: a transaction's changes go to the database together.

A claim changes a task, its messages and its job, and adds events. Each statement would cost a round trip, and more
processor time in the driver than in the database. So writes are kept until something is read or the transaction
commits. PostgreSQL gets them as one statement, SQLite one after another.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import groupby
from typing import Any, Final, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session, sessionmaker
from sqlmodel import SQLModel

from octavia.jobs.tables.engine import PREPARED

_WAITING: Final = "octavia_writes"
_MOST_ROWS: Final = 8
"""Rows of a table that are part of one statement; more are cheaper by themselves."""
_SHAPES: Final = 256


class _Shape(NamedTuple):
    """A write without its values: equal shapes share a statement. ``key`` names the row to change; empty: a new row."""

    table: type[SQLModel]
    columns: tuple[str, ...]
    key: tuple[str, ...] = ()


@dataclass
class _Write:
    shape: _Shape
    values: Mapping[str, Any]
    missing: Callable[[], Exception] | None = None
    row: SQLModel | None = None


@dataclass
class _Waiting:
    """The writes of a transaction that wait to be sent."""

    rows: list[tuple[type[SQLModel], SQLModel | Mapping[str, Any]]] = field(default_factory=list)
    changes: list[_Write] = field(default_factory=list)
    statements: dict[sa.Update, Mapping[str, Any]] = field(default_factory=dict)
    vetoes: dict[sa.Select[Any], tuple[Mapping[str, Any], Callable[[], Exception]]] = field(default_factory=dict)
    notices: set[tuple[str, str]] = field(default_factory=set)

    def touches(self, table: type[SQLModel]) -> bool:
        return any(kind is table for kind, _ in self.rows) or any(it.shape.table is table for it in self.changes)


def add(session: Session, row: SQLModel) -> None:
    """Insert a row, with the values that it has when it is written; then a generated id is set on it."""
    _waiting(session).rows.append((type(row), row))


def insert(session: Session, table: type[SQLModel], **values: Any) -> None:
    """Insert a row of these values, which costs less than to make an object of them."""
    _waiting(session).rows.append((table, values))


def change(
    session: Session,
    table: type[SQLModel],
    key: Mapping[str, Any],
    values: Mapping[str, Any],
    *,
    missing: Callable[[], Exception],
) -> None:
    """Change the one row that has the values of ``key``; if there is none, the transaction fails with ``missing()``."""
    if _waiting(session).touches(table):
        send(session)
    shape = _Shape(table, tuple(values), tuple(key))
    _waiting(session).changes.append(_Write(shape, _named("", values) | _named("is_", key), missing=missing))


def execute(session: Session, statement: sa.Update, values: Mapping[str, Any]) -> None:
    """Execute an update of any number of rows, of a table of which nothing else waits.

    Parameters:
      statement: Made once; the names of its parameters are its own.
    """
    _waiting(session).statements[statement] = values


def refuse_if(
    session: Session, found: sa.Select[Any], values: Mapping[str, Any], error: Callable[[], Exception]
) -> None:
    """Fail with ``error()`` if a query, made once, finds a row when the writes are sent."""
    _waiting(session).vetoes[found] = values, error


def notify(session: Session, channel: str, payload: str) -> None:
    """Send a notice with the commit, on PostgreSQL; equal ones are one."""
    _waiting(session).notices.add((channel, payload))


def send(session: Session) -> None:
    """Write what waits; called before every query of the session, and before its transaction commits.

    Raises the errors of ``change`` and ``refuse_if``; the transaction must be rolled back then.
    """
    waiting: _Waiting | None = session.info.pop(_WAITING, None)
    if waiting is None:
        return
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        _send_together(connection, waiting)
    else:
        _send_in_turn(connection, waiting)


def discard(session: Session) -> None:
    """Forget what waits, as a rollback does."""
    session.info.pop(_WAITING, None)


def listen(sessions: sessionmaker[Session]) -> None:
    """Have the sessions of a maker send what waits when it is time."""

    def before_query(state: ORMExecuteState) -> None:
        send(state.session)

    event.listen(sessions, "do_orm_execute", before_query)
    event.listen(sessions, "before_flush", lambda session, *_: send(session))
    event.listen(sessions, "before_commit", send)
    event.listen(sessions, "after_soft_rollback", lambda session, _: discard(session))


def _waiting(session: Session) -> _Waiting:
    return cast("_Waiting", session.info.setdefault(_WAITING, _Waiting()))


def _send_together(connection: sa.Connection, waiting: _Waiting) -> None:
    writes, many = list[_Write](), list[list[_Write]]()
    for rows in _by_table(waiting):
        if len(rows) > _MOST_ROWS:
            many.append(rows)
        else:
            writes += rows
    writes += waiting.changes
    statement = _together(
        tuple(write.shape for write in writes),
        tuple(waiting.statements),
        tuple(waiting.vetoes),
        len(waiting.notices),
    )
    values: dict[str, Any] = {}
    for number, write in enumerate(writes):
        values |= _named(f"w{number}_", write.values)
    for given in (*waiting.statements.values(), *(given for given, _ in waiting.vetoes.values())):
        values |= given
    for number, (channel, payload) in enumerate(waiting.notices):
        values |= {f"channel{number}": channel, f"payload{number}": payload}
    found = connection.execute(statement, values).one()
    for (_, error), vetoed in zip(waiting.vetoes.values(), found[len(writes) :], strict=False):
        if vetoed:
            raise error()
    for write, result in zip(writes, found, strict=False):
        _check(write, result)
    # Of children at most: their parents are there now.
    for rows in many:
        _insert(connection, rows)


def _send_in_turn(connection: sa.Connection, waiting: _Waiting) -> None:
    for found, (given, error) in waiting.vetoes.items():
        if connection.execute(found, given).first() is not None:
            raise error()
    for rows in _by_table(waiting):
        _insert(connection, rows)
    for write in waiting.changes:
        changed = connection.execute(_statement(write.shape, ""), dict(write.values))
        _check(write, changed.rowcount)
    for statement, given in waiting.statements.items():
        connection.execute(statement, given)


def _check(write: _Write, result: Any) -> None:
    """Take the number of rows that a change has found, or the id of a new row."""
    if write.missing is not None and not result:
        raise write.missing()
    if write.row is not None and result is not None:
        write.row.id = result


def _by_table(waiting: _Waiting) -> Iterator[list[_Write]]:
    """Group new rows by table, parents first."""
    order = _order()
    for _, rows in groupby(sorted(waiting.rows, key=lambda it: order[_table(it[0])]), key=lambda it: it[0]):
        yield [_insertion(table, row) for table, row in rows]


def _insertion(table: type[SQLModel], row: SQLModel | Mapping[str, Any]) -> _Write:
    if not isinstance(row, SQLModel):
        return _Write(_Shape(table, tuple(row)), row)
    values = {name: getattr(row, name) for name in _columns(table)}
    if values.get("id", row) is None:
        del values["id"]
    return _Write(_Shape(table, tuple(values)), values, row=row)


def _insert(connection: sa.Connection, writes: Sequence[_Write]) -> None:
    table, columns = writes[0].shape.table, _columns(writes[0].shape.table)
    added = sa.insert(_table(table))
    rows = [{columns[name].key: value for name, value in write.values.items()} for write in writes]
    if not _is_numbered(writes[0].shape):
        connection.execute(added, rows)
        return
    numbered = connection.execute(added.returning(columns["id"], sort_by_parameter_order=True), rows)
    for write, (number,) in zip(writes, numbered, strict=True):
        _check(write, number)


@lru_cache(maxsize=_SHAPES)
def _together(
    shapes: tuple[_Shape, ...],
    statements: tuple[sa.Update, ...],
    vetoes: tuple[sa.Select[Any], ...],
    notices: int,
) -> sa.Select[Any]:
    """Make one statement of all: its row has a value for each shape, then one for each veto."""
    columns: list[Any] = []
    parts: list[sa.CTE] = []
    for number, shape in enumerate(shapes):
        statement = _statement(shape, f"w{number}_")
        if shape.key:
            part = statement.returning(sa.literal_column("1").label("found")).cte(f"w{number}")
            columns.append(sa.select(sa.func.count()).select_from(part).scalar_subquery())
        elif _is_numbered(shape):
            part = statement.cte(f"w{number}")
            columns.append(sa.select(part.c.id).scalar_subquery())
        else:
            part = statement.returning(sa.literal_column("1").label("found")).cte(f"w{number}")
            columns.append(sa.null())
        parts.append(part)
    for number, other in enumerate(statements):
        parts.append(other.returning(sa.literal_column("1").label("found")).cte(f"s{number}"))
    columns += [sa.exists(veto) for veto in vetoes]
    columns += [
        sa.func.pg_notify(
            sa.bindparam(f"channel{number}", type_=sa.Text()), sa.bindparam(f"payload{number}", type_=sa.Text())
        )
        for number in range(notices)
    ]
    whole = sa.select(*(column.label(f"c{number}") for number, column in enumerate(columns)))
    return whole.add_cte(*parts).execution_options(**{PREPARED: True})


@lru_cache(maxsize=_SHAPES)
def _statement(shape: _Shape, prefix: str) -> Any:
    """Make the statement of a shape: parameters are named by columns, those of its key with ``is_`` before."""
    columns = _columns(shape.table)

    def parameter(mark: str, name: str) -> sa.BindParameter[Any]:
        return sa.bindparam(f"{prefix}{mark}{name}", type_=columns[name].type)

    values = {columns[name]: parameter("", name) for name in shape.columns}
    table = _table(shape.table)
    if shape.key:
        return sa.update(table).where(*(columns[name] == parameter("is_", name) for name in shape.key)).values(values)
    added = sa.insert(table).values(values)
    return added.returning(columns["id"]) if _is_numbered(shape) else added


def _is_numbered(shape: _Shape) -> bool:
    """Return whether the database gives the new row its id."""
    return "id" in _columns(shape.table) and "id" not in shape.columns


def _named(mark: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {mark + name: value for name, value in values.items()}


@cache
def _columns(table: type[SQLModel]) -> Mapping[str, sa.Column[Any]]:
    """The columns of a table by their names in the class."""
    return dict(sa.inspect(table, raiseerr=True).columns.items())


def _table(kind: type[SQLModel]) -> sa.Table:
    return cast("sa.Table", kind.__table__)  # type: ignore[attr-defined]


@cache
def _order() -> Mapping[sa.Table, int]:
    return {table: place for place, table in enumerate(SQLModel.metadata.sorted_tables)}
