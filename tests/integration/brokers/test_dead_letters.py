"""Messages that no worker can use: where they go, what they say of themselves, and what the operator does with them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pika
import pytest
import sqlalchemy as sa

from octavia import __version__
from octavia.brokers.dead_letter_queues import DeadLetterQueues
from octavia.brokers.dead_letters import DeadLetter
from octavia.brokers.queues import Names
from octavia.brokers.rabbit import RabbitBroker
from octavia.cli import console
from octavia.errors import NotFound, Unavailable
from octavia.jobs.protocol import messages
from octavia.jobs.tables import queries
from octavia.jobs.tables.records import TaskRef
from octavia.jobs.tables.rows import OutboxMessage
from octavia.jobs.tables.states import WHOLE_JOB, JobStatus, Queue, Stage
from octavia.settings import Settings, get_settings
from tests.integration.worker.commands import QUEUES
from tests.integration.worker.conftest import Service
from tests.support.command import Run, runner
from tests.support.waiting import until

GARBAGE = b"\x1b[2J\x00garbage"


@pytest.fixture(params=["classic", "quorum"])
def settings(request: pytest.FixtureRequest, rabbitmq_url: str, tmp_path: Path) -> Settings:
    """Those of a deployment whose transcribe queue has been declared."""
    settings = Settings(
        data_dir=tmp_path,
        broker_url=rabbitmq_url,
        queue_type=request.param,
        queue_prefix=f"test-{uuid4().hex[:12]}",
    )
    broker = RabbitBroker(settings, [])
    for name in broker.names.all(Queue.TRANSCRIBE):
        broker.declare_queue(name, ensure=True)
    broker.close()
    return settings


@contextmanager
def channel_to(settings: Settings) -> Iterator[Any]:
    with pika.BlockingConnection(pika.URLParameters(settings.broker_url)) as connection:
        yield connection.channel()


def send(settings: Settings, name: str, *bodies: bytes, **properties: Any) -> None:
    with channel_to(settings) as channel:
        channel.confirm_delivery()
        for body in bodies:
            channel.basic_publish("", name, body, pika.BasicProperties(**properties), mandatory=True)


def names(settings: Settings) -> Names:
    return Names(settings.queue_prefix, settings.queue_type)


def message(job_id: UUID | None = None, **changes: Any) -> bytes:
    sent = messages.message_for(TaskRef(job_id or uuid4(), 1, WHOLE_JOB, Stage.PREPARE), 2)
    return sent.copy(kwargs={**sent.kwargs, **changes}).encode()


def bodies(settings: Settings) -> list[bytes]:
    queues = DeadLetterQueues(settings)
    return [letter.body for letter in queues.look(queues.counts(), 100)]


def until_there(settings: Settings, *sent: bytes) -> None:
    """Wait until just these lie there, in this order: RabbitMQ takes a moment to have back what it handed out.

    That goes for what is looked at here, too, so that whoever looks next finds them all.
    """
    until(lambda: bodies(settings) == list(sent))
    until(lambda: sum(DeadLetterQueues(settings).counts().values()) == len(sent))


def waiting(settings: Settings, name: str) -> int:
    with channel_to(settings) as channel:
        return int(channel.queue_declare(name, passive=True).method.message_count)


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
@pytest.mark.parametrize("service", ["rabbitmq sqlite"], indirect=True)
def test_a_dead_letter_says_why_it_died(service: Service, queue_type: str) -> None:
    # Given a running service, and a job of it
    service.set(queue_type=queue_type)
    service.start()
    job_id = service.submit()
    assert service.until_ended(job_id).status is JobStatus.COMPLETED
    began = datetime.now(UTC)
    # When garbage that wants to be copied comes to a queue, and a message of that job that names no task
    name = names(service.settings).main(Queue.TRANSCRIBE)
    send(
        service.settings, name, GARBAGE, headers={"trace": "abc", "CC": [name]}, content_type="text/x", user_id="guest"
    )
    send(service.settings, name, message(job_id, chunk="first"))
    # Then both lie with the dead letters, as they came, and say why, whence, when, and which release put them there
    queues = DeadLetterQueues(service.settings)
    found: list[DeadLetter] = []

    def both() -> bool:
        found[:] = queues.look(queues.counts(Queue.TRANSCRIBE), 10)
        return len(found) == 2

    service.until(both)
    letters = {letter.body: letter for letter in found}
    garbage = letters.pop(GARBAGE)
    (ours,) = letters.values()
    assert garbage.reason == "not a message of ours"
    assert "names no task" in ours.reason
    for letter in (garbage, ours):
        assert (letter.queue, letter.name, letter.release) == (Queue.TRANSCRIBE, f"{name}.XQ", __version__)
        assert letter.headers["x-octavia-queue"] == name
        assert began - timedelta(seconds=1) < letter.died_at < datetime.now(UTC)
    assert (garbage.headers["trace"], garbage.properties.content_type) == ("abc", "text/x")
    # And which job they belong to
    assert (garbage.job_id, ours.job_id) == (None, job_id)
    assert queries.statuses(service.db, [job_id, uuid4()]) == {job_id: JobStatus.COMPLETED}


def test_looking_at_dead_letters_changes_nothing(settings: Settings) -> None:
    # Given dead letters in an order
    dead = names(settings).dead(Queue.TRANSCRIBE)
    sent = [f"letter {number}".encode() for number in range(5)]
    send(settings, dead, *sent)
    # When they are looked at more often than a quorum queue delivers a work message
    queues = DeadLetterQueues(settings)
    for _ in range(25):
        until(lambda: queues.counts()[dead] == 5)
        assert [letter.body for letter in queues.look(queues.counts(), 2)] == sent[:2]
    # Then all of them lie there as they lay
    until(lambda: queues.counts()[dead] == 5)
    assert bodies(settings) == sent


def test_a_letter_goes_back_to_work(settings: Settings) -> None:
    # Given garbage, and between it two messages of ours, one of them urgent
    dead = names(settings).dead(Queue.TRANSCRIBE)
    ref = TaskRef(uuid4(), 1, 0, Stage.TRANSCRIBE)
    urgent, usual = (messages.message_for(ref, level).encode() for level in (3, 2))
    send(settings, dead, GARBAGE, urgent, b"more garbage", usual, headers={"trace": "abc"})
    queues = DeadLetterQueues(settings)
    by_body = {letter.body: letter.id for letter in queues.look(queues.counts(), 10)}
    until_there(settings, GARBAGE, urgent, b"more garbage", usual)
    # When one is put back
    done = queues.requeue(queues.counts(), [by_body[urgent]])
    # Then it is where urgent work of the queue is taken from, and the others lie as they lay
    assert (done.back, done.left) == ([by_body[urgent]], [])
    assert waiting(settings, names(settings).all(Queue.TRANSCRIBE)[0]) == 1
    until_there(settings, GARBAGE, b"more garbage", usual)
    # When all are, then garbage stays, unless one insists
    done = queues.requeue(queues.counts(), None)
    assert (done.back, done.left) == ([by_body[usual]], [by_body[GARBAGE], by_body[b"more garbage"]])
    until_there(settings, GARBAGE, b"more garbage")
    assert queues.requeue(queues.counts(), [by_body[GARBAGE]]).left == [by_body[GARBAGE]]
    until_there(settings, GARBAGE, b"more garbage")
    assert len(queues.requeue(queues.counts(), None, force=True).back) == 2
    until(lambda: bodies(settings) == [])
    with channel_to(settings) as channel:
        main = names(settings).main(Queue.TRANSCRIBE)
        found = [channel.basic_get(main, auto_ack=True) for _ in range(waiting(settings, main))]
    forced = {body: properties.headers for _, properties, body in found}
    assert forced[GARBAGE]["trace"] == forced[b"more garbage"]["trace"] == "abc"


def test_a_letter_that_goes_back_is_never_lost(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a dead letter, and a connection that breaks between its way back and its acknowledgement
    dead = names(settings).dead(Queue.TRANSCRIBE)
    body = messages.message_for(TaskRef(uuid4(), 1, 0, Stage.TRANSCRIBE), 2).encode()
    send(settings, dead, body)

    def broken(*_: object, **__: object) -> None:
        raise pika.exceptions.StreamLostError("broken")

    queues = DeadLetterQueues(settings)
    counts = queues.counts()
    with monkeypatch.context() as patched:
        patched.setattr("pika.adapters.blocking_connection.BlockingChannel.basic_ack", broken)
        # When it is put back, then that is an error
        with pytest.raises(Unavailable):
            queues.requeue(counts, None)
    # And it is in both places: the claim drops the second
    until(lambda: bodies(settings) == [body])
    assert waiting(settings, names(settings).main(Queue.TRANSCRIBE)) == 1


def test_letters_are_deleted_one_by_one_or_all(settings: Settings) -> None:
    dead = names(settings).dead(Queue.TRANSCRIBE)
    send(settings, dead, b"one", b"two", b"three")
    queues = DeadLetterQueues(settings)
    counts = queues.counts()
    two = queues.look(counts, 2)[1]
    until_there(settings, b"one", b"two", b"three")
    # When one of three is deleted, then it is gone, and gone for good
    assert queues.purge(counts, [two.id]) == [two.id]
    until_there(settings, b"one", b"three")
    with pytest.raises(NotFound) as missing:
        queues.purge(queues.counts(), [two.id])
    assert missing.value.code == "dead_letter_not_found"
    until_there(settings, b"one", b"three")
    # When all that were counted are, then one that came meanwhile is not among them
    counts = queues.counts()
    send(settings, dead, b"four")
    assert len(queues.purge(counts, None)) == 2
    until(lambda: bodies(settings) == [b"four"])


def test_letters_of_both_types_are_seen(settings: Settings) -> None:
    # Given a deployment that has moved to the other type, and a letter on the queue that it left
    moved = settings.model_copy(update={"queue_type": "quorum" if settings.queue_type == "classic" else "classic"})
    body = messages.message_for(TaskRef(uuid4(), 1, 0, Stage.TRANSCRIBE), 2).encode()
    send(settings, names(settings).dead(Queue.TRANSCRIBE), body)
    # When it is put back, then on a queue of the type in force
    queues = DeadLetterQueues(moved)
    assert len(queues.requeue(queues.counts(), None).back) == 1
    assert waiting(moved, names(moved).main(Queue.TRANSCRIBE)) == 1
    assert waiting(settings, names(settings).main(Queue.TRANSCRIBE)) == 0


@pytest.mark.parametrize("service", ["rabbitmq sqlite"], indirect=True)
def test_a_job_whose_message_died_is_brought_back_by_hand(service: Service, run: Run) -> None:
    # Given a job whose message lies with the dead letters, and a piece of garbage that would clear the screen
    service.start(queues=QUEUES)
    service.until_ended(service.submit())
    service.stop()
    job_id = service.submit()
    with service.db.transaction() as session:
        session.execute(sa.update(OutboxMessage).values(published_at=sa.func.now()))
    service.set(repair_seconds=3600)
    dead = names(service.settings).dead(Queue.DEFAULT)
    sent = message(job_id)
    send(service.settings, dead, GARBAGE, sent)
    # When they are listed, then with the job and how it stands, and nothing moves the cursor
    garbage, ours = json.loads(run("list", "--json"))
    assert (ours["queue"], ours["actor"], ours["job"], ours["job_status"]) == (
        *("default", "prepare"),
        *(str(job_id), "queued"),
    )
    assert (garbage["size"], garbage["job"]) == (len(GARBAGE), None)
    until_there(service.settings, GARBAGE, sent)
    table = run("list", "--queue", "default")
    assert f"{job_id}  queued" in table
    until_there(service.settings, GARBAGE, sent)
    assert run("list", "--queue", "maintenance", "--json").strip() == "[]"
    shown = run("show", garbage["id"])
    assert r"\x1b[2J\x00garbage" in shown
    assert "\x1b" not in shown + table
    until_there(service.settings, GARBAGE, sent)
    # When all are put back, then garbage is refused
    refused = run("requeue", "--all", code=console.FAILED)
    assert "1 dead letter requeued." in refused
    assert "(not_a_message)" in refused
    # And the job completes once there are workers
    service.start()
    assert service.until_ended(job_id).status is JobStatus.COMPLETED
    # When the rest is deleted, then there is none
    assert run("purge", garbage["id"], "--yes") == "1 dead letter deleted.\n"
    assert json.loads(run("list", "--json")) == []
    assert "(dead_letter_not_found)" in run("show", garbage["id"], code=console.USAGE)


@pytest.fixture
def run(service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """``octavia dead-letters``, with the settings of the service, which nobody else is to find later."""
    for name, value in service.settings.environment().items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    yield runner(monkeypatch, capsys, "dead-letters")
    get_settings.cache_clear()
