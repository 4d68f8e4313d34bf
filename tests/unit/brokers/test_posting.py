"""The poster: what its process has just queued goes out at once; whatever fails is left to the relays."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlmodel import col

from octavia.brokers.posting import Poster
from octavia.errors import Unavailable
from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol import direct, outbox
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import NewJob, Outgoing
from octavia.jobs.tables.rows import OutboxMessage, Task
from octavia.jobs.tables.states import JobType, Queue
from tests.unit.brokers.test_relay import Recorder


@pytest.fixture
def db(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.close()


def _submit(db: Database) -> None:
    submit.create(db, NewJob(JobType.TRANSCRIBE, "en", input={"kind": "media"}))


def _rows(db: Database) -> list[OutboxMessage]:
    with db.reading() as session:
        return list(session.scalars(sa.select(OutboxMessage).order_by(col(OutboxMessage.id))))


def test_a_message_before_which_nothing_waits_is_posted_after_its_commit(db: Database) -> None:
    # Given a process that posts
    posted: list[Outgoing] = []
    db.post = posted.extend
    # When it submits a job, Then the message is posted, and nobody else gets it
    _submit(db)
    (row,) = _rows(db)
    assert [outgoing.id for outgoing in posted] == [row.id]
    assert outbox.lease(db, limit=1, seconds=1, windowed=True) == []
    with db.reading() as session:
        assert session.scalars(sa.select(col(Task.released_at))).one() is not None


def test_what_is_rolled_back_is_not_posted(db: Database) -> None:
    posted: list[Outgoing] = []
    db.post = posted.extend

    def fail(*_: object) -> None:
        raise RuntimeError("a mistake")

    sa.event.listen(db.engine, "commit", fail)
    with pytest.raises(RuntimeError):
        _submit(db)
    sa.event.remove(db.engine, "commit", fail)
    assert posted == []


def test_a_message_behind_another_one_is_left_to_the_relays(db: Database) -> None:
    # Given a message that waits for a relay
    _submit(db)
    posted: list[Outgoing] = []
    db.post = posted.extend
    # When a process that posts queues another one, Then that waits, too
    _submit(db)
    assert posted == []
    assert len(outbox.lease(db, limit=2, seconds=1)) == 2


def test_no_more_is_posted_than_the_window_admits(db: Database) -> None:
    posted: list[Outgoing] = []
    db.post = posted.extend
    for _ in range(20):
        _submit(db)
    assert 1 <= len(posted) < 20
    assert len([row for row in _rows(db) if row.leased_until is None]) == 20 - len(posted)


def test_posted_messages_are_published_and_marked_a_moment_later(db: Database) -> None:
    # Given a message that was posted
    broker = Recorder()
    poster = Poster(db, broker)
    db.post = poster.post
    _submit(db)
    # When the poster delivers, Then it is out, and not marked yet: the claim may do that
    assert poster.deliver_posted() == 1
    assert len(broker.got) == 1
    assert _rows(db)[0].published_at is None
    # When its thread has gone on, Then it is
    poster._mark()
    (row,) = _rows(db)
    assert row.published_at is not None
    with db.reading() as session:
        assert session.scalars(sa.select(col(Task.published))).one() == 1


def test_a_message_that_the_broker_does_not_take_is_left_to_the_relays(db: Database) -> None:
    # Given a broker that is away
    broker = Recorder()
    broker.away_after = 0
    poster = Poster(db, broker)
    db.post = poster.post
    _submit(db)
    # When the poster tries, Then any relay gets the message at once
    with pytest.raises(Unavailable):
        poster.deliver_posted()
    assert len(outbox.lease(db, limit=1, seconds=1, windowed=True)) == 1


def test_a_message_whose_lease_has_ended_is_not_posted_any_more(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a poster that comes too late
    monkeypatch.setattr(direct, "LEASE_SECONDS", 0.0)
    broker = Recorder()
    poster = Poster(db, broker)
    poster.post([Outgoing(1, Queue.DEFAULT, 2, b"")])
    # Then it leaves the message to the relays
    assert poster.deliver_posted() == 0
    assert broker.got == []
