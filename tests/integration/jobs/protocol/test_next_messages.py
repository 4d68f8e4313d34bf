"""The order in which messages are released, and how many."""

from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import col

from octavia.jobs.lifecycle import submit
from octavia.jobs.lifecycle.priorities import prioritize_locked
from octavia.jobs.operations import pauses
from octavia.jobs.protocol import cancel, claims, outbox
from octavia.jobs.protocol.fairness import Turn, cost_of
from octavia.jobs.protocol.messages import decode, ref_of
from octavia.jobs.status import workers
from octavia.jobs.tables.database import Database, now
from octavia.jobs.tables.records import JobRecord, NewJob, Outgoing, TaskRef
from octavia.jobs.tables.rows import OutboxMessage, Task
from octavia.jobs.tables.shares import Share
from octavia.jobs.tables.states import JobType, PauseMode, Priority, Queue, Stage
from octavia.jobs.tables.transitions import lock_job
from tests.integration.jobs.steps import ATTEMPTS, MEDIA, Steps


def _put(db: Database, owner: str, *costs: float, queue: Queue = Queue.TRANSCRIBE, job: str = "") -> None:
    """Queue messages of no task: their bodies say whose they are."""
    with db.transaction() as session:
        turn = 0.0
        for cost in costs:
            turn += cost
            outbox.add(session, queue, 2, f"{owner}{job}".encode(), turn=Turn(owner, turn, cost))


def _next(db: Database, count: int, **options: bool) -> list[str]:
    """Take one message after another, as embedded workers do."""
    taken = [row for _ in range(count) for row in outbox.lease(db, limit=1, seconds=60, **options)]
    return [row.message.decode() for row in taken]


def _job(steps: Steps, owner: str = "local", priority: Priority = Priority.NORMAL) -> JobRecord:
    new = NewJob(JobType.TRANSCRIBE, "en", owner=owner, priority=priority, input=dict(MEDIA))
    return submit.create(steps.db, new)


def _long_job(steps: Steps, chunks: int, owner: str = "local") -> JobRecord:
    """A job whose chunks are queued; none of them was released."""
    job = _job(steps, owner)
    (prepare,) = steps.deliver()
    steps.do(prepare, chunks=chunks)
    return job


def _release(steps: Steps, limit: int = 100) -> list[Outgoing]:
    return outbox.lease(steps.db, limit=limit, seconds=60, windowed=True)


def _workers(steps: Steps, *hosts: str, queues: tuple[Queue, ...] = (Queue.TRANSCRIBE,)) -> None:
    for number, host in enumerate(hosts):
        workers.mark_seen(steps.db, f"{host}:{number}", host, 1, queues, None, 1)


@pytest.mark.parametrize("windowed", [False, True])
def test_owners_have_equal_shares_of_the_work_not_of_the_messages(database: Database, windowed: bool) -> None:
    # Given an owner with many small messages, and one with large ones
    _put(database, "small", *[1.0] * 40)
    _put(database, "large", *[4.0] * 40)
    # When messages are taken one by one
    taken = Counter(_next(database, 25, windowed=windowed))
    # Then both have had as much work, up to one message
    assert abs(taken["small"] - 4 * taken["large"]) <= 4


def test_a_batch_is_as_fair_as_one_by_one(database: Database) -> None:
    _put(database, "a", *[1.0] * 30)
    _put(database, "b", *[2.0] * 30)
    rows = outbox.lease(database, limit=30, seconds=60, windowed=True)
    assert Counter(row.message for row in rows) == {b"a": 20, b"b": 10}


def test_a_newcomer_is_next_and_has_no_credit_from_before(database: Database) -> None:
    # Given an owner who has had the workers alone for long
    _put(database, "old", *[1.0] * 50)
    _next(database, 20)
    # When another one comes with as much, Then it is next, and from then on both take turns
    _put(database, "new", *[1.0] * 20)
    taken = _next(database, 21)
    assert taken[0] == "new"
    assert abs(taken.count("new") - taken.count("old")) <= 1


def test_a_stream_of_new_jobs_does_not_starve_a_long_one(steps: Steps) -> None:
    # Given a long job whose next chunk costs as much as some 60 small messages
    long = _long_job(steps, 1)
    between = cost_of(Stage.TRANSCRIBE, 29.0) / cost_of(Stage.PREPARE, 0.0)
    # When a new job of the same owner comes whenever a message was taken
    taken = []
    for _ in range(round(between) + 2):
        _job(steps)
        (row,) = outbox.lease(steps.db, limit=1, seconds=60)
        taken.append(ref_of(decode(row.message)).job_id)
    # Then the chunk has had its turn
    assert long.id in taken


def test_a_short_job_stands_before_the_rest_of_a_long_one(steps: Steps) -> None:
    # Given a long job of which two chunks were released
    _long_job(steps, 50)
    outbox.lease(steps.db, limit=2, seconds=60)
    # When the same owner submits a short one, Then each of its stages is next but for one chunk at most
    short = _job(steps)
    seen: list[Stage] = []
    for _ in range(6):
        (row,) = outbox.lease(steps.db, limit=1, seconds=60)
        ref = ref_of(decode(row.message))
        if ref.job_id == short.id:
            seen.append(ref.stage)
            steps.do(ref, decode(row.message))
    assert seen == [Stage.PREPARE, Stage.TRANSCRIBE, Stage.ASSEMBLE]


def test_an_older_releases_message_is_released(database: Database) -> None:
    # Given a row as a release without turns writes it
    with database.transaction() as session:
        moment = now(session)
        row = {"queue": "transcribe", "priority": 2, "message": b"old", "created_at": moment, "not_before": moment}
        statement = sa.text(
            "INSERT INTO outbox (queue, priority, message, created_at, not_before)"
            " VALUES (:queue, :priority, :message, :created_at, :not_before)"
        )
        times = [sa.bindparam(name, type_=sa.DateTime(timezone=True)) for name in ("created_at", "not_before")]
        session.execute(statement.bindparams(*times), row)
    _put(database, "new", *[1.0] * 3)
    assert "old" in _next(database, 2, windowed=True)


def test_no_more_is_released_than_the_workers_take(steps: Steps) -> None:
    # Given two workers for transcribe, and a long job
    _workers(steps, "A", "A")
    _long_job(steps, 20)
    # Then two chunks are released, one for each, and the next when one is done
    first, _ = _release(steps)
    assert _release(steps) == []
    ref = ref_of(decode(first.message))
    claim = steps.claim(ref)
    assert _release(steps) == []
    steps.complete(claim, decode(first.message))
    assert len(_release(steps)) == 1


def test_a_worker_that_joins_widens_the_window(steps: Steps) -> None:
    _workers(steps, "A")
    _long_job(steps, 20)
    assert len(_release(steps)) == 1
    _workers(steps, "A", "A", "A")
    assert len(_release(steps)) == 2


def test_a_worker_that_leaves_narrows_the_window_and_its_chunk_is_released_again(steps: Steps) -> None:
    # Given two workers, and two chunks that were released to them; the first one has claimed its chunk
    _workers(steps, "A", "B")
    job = _long_job(steps, 3)
    first, second = (ref_of(decode(row.message)) for row in _release(steps))
    steps.claim(first, "A:0")
    # When it dies
    workers.remove(steps.db, "A:0")
    claims.expire_leases(steps.db, worker="A:0", max_attempts=ATTEMPTS)
    # Then the other one's chunk fills the window
    assert _release(steps) == []
    # And the rest is released one by one, the lost chunk too
    assert steps.do(second)
    later: list[TaskRef] = []
    while rows := _release(steps):
        (ref,) = (ref_of(decode(row.message)) for row in rows)
        assert steps.do(ref)
        later.append(ref)
    assert {second, *later[:-1]} == {TaskRef(job.id, 1, chunk, Stage.TRANSCRIBE) for chunk in range(3)}
    assert first in later
    assert later[-1].stage is Stage.ASSEMBLE


def test_a_job_that_becomes_urgent_passes_a_full_window(steps: Steps) -> None:
    # Given a window that is full, and jobs that wait behind it
    _workers(steps, "A", queues=(Queue.DEFAULT,))
    jobs = [_job(steps) for _ in range(10)]
    assert len(_release(steps)) < 10
    # When the last one becomes urgent, Then it is released, and no other
    with steps.db.transaction() as session:
        prioritize_locked(session, lock_job(session, jobs[-1].id), Priority.HIGH)
    assert [ref_of(decode(row.message)).job_id for row in _release(steps)] == [jobs[-1].id]
    assert _release(steps) == []


def test_ten_thousand_messages_of_one_owner_delay_no_other(database: Database) -> None:
    # Given an owner with 10,000 messages
    with database.transaction() as session:
        moment = now(session)
        same = {"queue": Queue.DEFAULT, "priority": 2, "created_at": moment, "not_before": moment, "owner": "many"}
        rows = [same | {"turn": 0.1 * number, "cost": 0.1, "message": b"many"} for number in range(1, 10_001)]
        session.execute(sa.insert(OutboxMessage), rows)
    asked: list[str] = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda _c, _u, sql, *_: asked.append(sql))
    # When some of them have gone, and somebody else comes, Then that one is next
    assert _next(database, 3) == ["many"] * 3
    _put(database, "one", 0.1, queue=Queue.DEFAULT)
    assert _next(database, 1) == ["one"]
    # And no statement was asked for each of the others
    assert len(asked) < 60


def test_a_lost_message_holds_up_the_others_for_a_moment_only(steps: Steps) -> None:
    # Given a window that is full of a message which the broker has lost
    _workers(steps, "A")
    _long_job(steps, 3)
    (lost,) = _release(steps)
    outbox.mark_published(steps.db, [lost.id])
    assert _release(steps) == []
    # When it has not been claimed for long, Then the next one goes out
    with steps.db.transaction() as session:
        before = sa.update(Task).where(col(Task.released_at).is_not(None))
        session.execute(before.values(released_at=now(session) - timedelta(seconds=16)))
    assert len(_release(steps)) == 1


def test_the_window_of_a_relay_that_died_is_released_again(steps: Steps) -> None:
    # Given a window that a relay leased and did not publish
    _workers(steps, "A")
    _long_job(steps, 3)
    (leased,) = outbox.lease(steps.db, limit=10, seconds=0, windowed=True)
    with steps.db.transaction() as session:
        session.execute(sa.update(Task).values(released_at=now(session) - timedelta(seconds=16)))
    # Then the same message is the next
    assert [row.id for row in _release(steps)] == [leased.id]


def test_a_released_message_that_was_not_sent_makes_room(steps: Steps) -> None:
    _workers(steps, "A")
    _long_job(steps, 3)
    (row,) = _release(steps)
    outbox.release(steps.db, [row.id], delay=0)
    assert [again.id for again in _release(steps)] == [row.id]


def test_the_messages_of_a_canceled_job_fill_no_window(steps: Steps) -> None:
    # Given a worker, a long job that is canceled in the middle of its window, and another job after it
    _workers(steps, "A", queues=(Queue.TRANSCRIBE, Queue.DEFAULT))
    long = _long_job(steps, 60)
    _release(steps)
    cancel.cancel(steps.db, long.id, "local")
    other = _job(steps)
    # Then the other's message is released, and the rest of the canceled job's are marked as sent
    assert [ref_of(decode(row.message)).job_id for row in _release(steps)] == [other.id]
    assert _release(steps) == []
    assert len([row for row in steps.outbox() if row.published_at is None and row.leased_until is None]) == 0


def test_urgent_work_is_not_held_back_by_a_full_window(steps: Steps) -> None:
    # Given a queue whose only place is taken by a message that nobody has claimed yet
    _workers(steps, "A", queues=(Queue.DEFAULT,))
    _job(steps)
    for _ in range(10):
        _job(steps)
    released = len(_release(steps))
    assert released < 11
    # When an urgent job comes, Then it goes out
    urgent = _job(steps, priority=Priority.HIGH)
    assert [ref_of(decode(row.message)).job_id for row in _release(steps)] == [urgent.id]


def test_nothing_is_released_for_workers_that_are_paused(steps: Steps) -> None:
    # Given two workers on two hosts
    _workers(steps, "A", "B")
    _long_job(steps, 5)
    # When one host is paused, Then the window is that of the other
    pauses.pause(steps.db, Queue.TRANSCRIBE, "A", PauseMode.PAUSE, by="an operator")
    assert len(_release(steps)) == 1
    # When all are, Then nothing more is released
    pauses.pause(steps.db, Queue.TRANSCRIBE, None, PauseMode.PAUSE, by="an operator")
    with steps.db.transaction() as session:
        session.execute(sa.update(Task).values(released_at=None))
    assert _release(steps) == []


def test_a_claim_settles_what_would_be_sent_in_vain(steps: Steps) -> None:
    # Given a job whose message is in the outbox a second time
    job = _job(steps)
    ((ref, _),) = steps.deliver().items()
    with steps.db.transaction() as session:
        outbox.add(session, Queue.DEFAULT, 2, b"again", task_id=steps.task(ref).id)
    # When its task is claimed, Then nothing is left to send
    steps.claim(ref)
    assert all(row.published_at for row in steps.outbox())
    assert steps.job(job.id).run == 1


def test_shares_are_kept_while_messages_wait(database: Database) -> None:
    # Given the shares of two owners, one of whom has a message left
    _put(database, "done", 1.0)
    _put(database, "waits", 1.0, 1.0)
    _next(database, 2)
    with database.transaction() as session:
        session.execute(
            sa.update(OutboxMessage).where(col(OutboxMessage.owner) == "done").values(published_at=now(session))
        )
    # When all is pruned that is old
    outbox.prune(database, timedelta(seconds=-1))
    # Then the other's share is there
    with database.reading() as session:
        assert session.scalars(sa.select(col(Share.owner))).all() == ["waits"]


def test_many_messages_and_many_owners_are_found_by_the_index(database: Database) -> None:
    with database.transaction() as session:
        moment = now(session)
        same = {"queue": Queue.TRANSCRIBE, "priority": 2, "message": b"x", "created_at": moment, "not_before": moment}
        rows = [same | {"owner": f"o{number % 50}", "turn": float(number), "cost": 1.0} for number in range(3000)]
        session.execute(sa.insert(OutboxMessage), rows)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    asked: list[tuple[str, object]] = []
    sa.event.listen(
        database.engine, "before_cursor_execute", lambda _c, _u, sql, args, _x, _m: asked.append((sql, args))
    )
    outbox.lease(database, limit=2, seconds=60, windowed=True)
    sqlite = database.engine.dialect.name == "sqlite"
    explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
    looks = [(sql, args) for sql, args in asked if "ix_" not in sql and "outbox" in sql and "SELECT" in sql]
    assert looks
    with database.engine.connect() as connection:
        for sql, args in list(looks):
            plan = str(connection.exec_driver_sql(explain + sql, args).fetchall())
            # The windows' query asks of one queue whether anything waits: here of none.
            assert "ix_outbox_turn" in plan or "FROM workers" in sql
            assert "SCAN outbox" not in plan
            assert "Seq Scan on outbox" not in plan
