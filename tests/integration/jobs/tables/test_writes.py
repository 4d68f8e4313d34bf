"""Writes that go to the database together."""

from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.errors import Conflict, InputError
from octavia.jobs.protocol import claims
from octavia.jobs.tables import writes
from octavia.jobs.tables.database import Database, now, transaction
from octavia.jobs.tables.rows import Event, OutboxMessage, Task
from octavia.jobs.tables.states import JobType, Queue
from tests.integration.jobs.steps import PIECE, Steps


def _message(session: Session, priority: int = 2) -> OutboxMessage:
    moment = now(session)
    row = OutboxMessage(
        queue=Queue.TRANSLATE, priority=priority, message=b"x", created_at=moment, not_before=moment, task_id=uuid4()
    )
    writes.add(session, row)
    return row


def _change(session: Session, row: OutboxMessage, **values: object) -> None:
    writes.change(session, OutboxMessage, {"id": row.id}, values, missing=lambda: Conflict("The row is gone."))


def _priorities(db: Database) -> list[int]:
    with db.reading() as session:
        return list(session.scalars(sa.select(col(OutboxMessage.priority)).order_by(col(OutboxMessage.id))))


def _statements(db: Database) -> list[str]:
    """Note every statement but those that begin a transaction; PostgreSQL's carry settings."""
    noted: list[str] = []

    def note(_c: object, _u: object, sql: str, *_: object) -> None:
        if not sql.startswith("BEGIN"):
            noted.append(sql)

    sa.event.listen(db.engine, "before_cursor_execute", note)
    return noted


def test_a_short_text_takes_few_statements(postgres_url: str) -> None:
    # Given a text of one piece on PostgreSQL
    steps = Steps(Database(postgres_url))
    statements = _statements(steps.db)
    # When it is submitted, claimed and completed
    steps.submit(JobType.TRANSLATE, input=PIECE)
    submission = len(statements)
    (ref,) = steps.deliver()
    statements.clear()
    claim = steps.claim(ref)
    claiming = len(statements)
    statements.clear()
    steps.complete(claim)
    # Then each of these reads once and writes once
    assert (submission, claiming, len(statements)) == (2, 2, 2)
    steps.db.close()


def test_a_query_finds_what_was_to_be_written(database: Database) -> None:
    with database.transaction() as session:
        # Given a new row that waits, When its transaction asks for it
        row = _message(session)
        found = session.scalars(sa.select(OutboxMessage)).one()
        # Then it is there, and has an id
        assert found.id == row.id is not None


def test_a_row_is_written_as_it_is_at_the_end(database: Database) -> None:
    with database.transaction() as session:
        _message(session).priority = 3
    assert _priorities(database) == [3]


@pytest.mark.parametrize("count", [1, 8, 9, 100])
def test_every_new_row_gets_its_id(database: Database, count: int) -> None:
    with database.transaction() as session:
        rows = [_message(session, number) for number in range(count)]
    with database.reading() as session:
        found = session.execute(sa.select(col(OutboxMessage.id), col(OutboxMessage.priority))).all()
    assert sorted(found) == sorted((row.id or 0, row.priority) for row in rows)


def test_changes_of_one_row_are_made_in_their_order(database: Database) -> None:
    with database.transaction() as session:
        row = _message(session)
        writes.send(session)
        _change(session, row, priority=1)
        _change(session, row, priority=3)
    assert _priorities(database) == [3]


@transaction
def _add_and_change_another(session: Session) -> None:
    _message(session)
    writes.change(session, Task, {"id": uuid4()}, {"progress": 1.0}, missing=lambda: Conflict("It is gone."))


def test_a_change_that_finds_no_row_undoes_the_transaction(database: Database) -> None:
    # Given a transaction that adds a row, and changes one that is not there
    with pytest.raises(Conflict, match="gone"):
        _add_and_change_another(database)
    # Then nothing of it is kept
    assert _priorities(database) == []


_VETO = sa.select(col(OutboxMessage.id)).where(col(OutboxMessage.priority) == sa.bindparam("vetoed"))


@transaction
def _add_unless(session: Session, priority: int, vetoed: int) -> None:
    _message(session, priority)
    writes.refuse_if(session, _VETO, {"vetoed": vetoed}, lambda: InputError("Not now."))


def test_a_veto_undoes_the_transaction(database: Database) -> None:
    # Given a row that a transaction must not find
    _add_unless(database, 1, 1)
    # When it runs, Then nothing of it is kept
    with pytest.raises(InputError):
        _add_unless(database, 2, 1)
    # And one that looks for another row is
    _add_unless(database, 3, 2)
    assert _priorities(database) == [1, 3]


def _skip(session: Session) -> None:
    with session.begin_nested():
        _message(session, 3)
        raise InputError("Skip this one.")


def test_what_waits_in_a_savepoint_goes_with_it(database: Database) -> None:
    with database.transaction() as session:
        _message(session, 1)
        with session.begin_nested():
            _message(session, 2)
        with pytest.raises(InputError):
            _skip(session)
    assert _priorities(database) == [1, 2]


def test_a_lost_race_for_a_task_leaves_no_event(steps: Steps) -> None:
    # Given a task that two workers claim one after the other
    steps.submit(JobType.TRANSLATE, input=PIECE)
    (ref,) = steps.deliver()
    steps.claim(ref)
    with pytest.raises(claims.NotClaimable):
        steps.claim(ref, "late")
    # Then only the first one's start is told
    with steps.db.reading() as session:
        told = session.scalars(sa.select(col(Event.type)).order_by(col(Event.seq))).all()
    assert list(told) == ["queued", "started", "stage"]
