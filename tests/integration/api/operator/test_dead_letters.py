"""``/operator/dead-letters`` over a real RabbitMQ: looking, putting back, deleting."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pika
import pytest
from starlette.testclient import TestClient

from octavia.brokers.queues import Names
from octavia.brokers.rabbit import RabbitBroker
from octavia.jobs.operations import audit
from octavia.jobs.protocol.messages import Message
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import JobRecord, TaskRef
from octavia.jobs.tables.states import Queue, Stage
from octavia.settings import Settings
from octavia.web import create_app
from tests.integration.jobs.steps import Steps

LETTERS = "/api/v1/operator/dead-letters"

Prepared = tuple[JobRecord, dict[TaskRef, Message]]


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.close()


@pytest.fixture(params=["classic", "quorum"])
def settings(request: pytest.FixtureRequest, rabbitmq_url: str, tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path,
        models_dir=tmp_path / "models",
        ready_queues=(),
        broker_url=rabbitmq_url,
        queue_type=request.param,
        queue_prefix=f"test-{uuid4().hex[:12]}",
        console_url="https://rabbit.example/",
    )


@pytest.fixture
def client(settings: Settings, database: Database) -> Iterator[TestClient]:
    with TestClient(create_app(settings, database=database), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def prepared(steps: Steps) -> Prepared:
    """A job after its fan-out, and the messages that went out then: before the service begins to send any itself."""
    return steps.prepared(1)


def bury(settings: Settings, *bodies: bytes) -> None:
    """Put messages with the dead letters of the queue transcribe."""
    broker = RabbitBroker(settings, [])
    main = broker.names.main(Queue.TRANSCRIBE)
    broker.declare_queue(main, ensure=True)
    for body in bodies:
        assert broker.move_to_dead_letters(main, body, pika.BasicProperties(), "<i>broken</i>")
    broker.close()


def bodies(settings: Settings, name: str) -> list[bytes]:
    """What is on a queue, in order; it stays there."""
    with pika.BlockingConnection(pika.URLParameters(settings.broker_url)) as connection:
        channel, found = connection.channel(), []
        while (got := channel.basic_get(name))[0] is not None:
            found.append(got[2])
        return found


def garbage(number: int) -> bytes:
    return f"\x1b[2J garbage {number}".encode()


def test_looking_changes_neither_number_nor_order(prepared: Prepared, client: TestClient, settings: Settings) -> None:
    # Given dead letters: a message of a job, and garbage
    job, sent = prepared
    message = next(message for ref, message in sent.items() if ref.stage is Stage.TRANSCRIBE)
    buried = [message.encode(), *map(garbage, range(4))]
    bury(settings, *buried)
    # When they are listed, some of them, and one is shown, again and again
    for _ in range(3):
        answer = client.get(LETTERS, params={"queue": "transcribe", "limit": 2}).json()
        assert (len(answer["dead_letters"]), answer["total"]) == (2, 5)
        first, second = answer["dead_letters"]
        shown = client.get(f"{LETTERS}/{second['id']}").json()
    # Then they say whose they are, and why they died
    named = {key: first[key] for key in ("job_id", "job_status", "stage", "chunk", "run", "reason", "readable")}
    assert named == {
        "job_id": str(job.id),
        "job_status": "processing",
        "stage": "transcribe",
        "chunk": 0,
        "run": 1,
        "reason": "<i>broken</i>",
        "readable": True,
    }
    assert (second["readable"], second["job_id"], second["at"] is None) == (False, None, False)
    assert shown["body"] == "\\x1b[2J garbage 0"
    # And they lie as they lay
    assert bodies(settings, Names(settings.queue_prefix, settings.queue_type).dead(Queue.TRANSCRIBE)) == buried
    assert client.get(LETTERS, params={"queue": "translate"}).json() == {"dead_letters": [], "total": 0}
    # And the queue counts them, and leads to the console
    found = next(
        each for each in client.get("/api/v1/operator/queues").json()["queues"] if each["name"] == "transcribe"
    )
    assert (found["dead_letters"], found["ready"], found["unacked"]) == (5, 0, 0)
    main = Names(settings.queue_prefix, settings.queue_type).main(Queue.TRANSCRIBE)
    assert found["console_url"] == f"https://rabbit.example/#/queues/%2F/{main}"


def test_letters_are_counted_put_back_and_deleted(
    prepared: Prepared, client: TestClient, settings: Settings, database: Database
) -> None:
    # Given a message of a job, and garbage, with the dead letters
    _, sent = prepared
    message = next(iter(sent.values())).encode()
    bury(settings, message, *map(garbage, range(3)))
    ids = [each["id"] for each in client.get(LETTERS).json()["dead_letters"]]

    def order(verb: str, **fields: Any) -> Any:
        return client.post(f"{LETTERS}/{verb}", json=fields)

    # When somebody counts first, Then nothing changes
    dry = order("requeue", queue="transcribe", dry_run=True).json()
    assert (dry["dry_run"], dry["count"], dry["action_id"]) == (True, 4, None)
    assert order("purge", ids=[ids[1], "nothing"], dry_run=True).json()["count"] == 1
    # When the number is another one than was confirmed, Then it is refused with that, and nothing changes
    refused = order("purge", queue="transcribe", expected=3)
    assert (refused.status_code, refused.json()["code"], refused.json()["count"]) == (409, "count_changed", 4)
    assert client.get(LETTERS).json()["total"] == 4
    # When all are put back, Then what can be read is on its queue, and the rest stays
    done = order("requeue", expected=4).json()
    assert (done["count"], done["left"]) == (1, ids[1:])
    names = Names(settings.queue_prefix, settings.queue_type)
    assert len(bodies(settings, names.main(Queue.TRANSCRIBE))) == 1
    # When one is deleted that is there and one that is not, Then each is told
    done = order("purge", ids=[ids[1], ids[0]]).json()
    assert (done["count"], done["missing"]) == (1, [ids[0]])
    # When what cannot be read is put back all the same, Then it is on its queue, too
    assert order("requeue", ids=[ids[2]], force=True).json()["count"] == 1
    assert len(bodies(settings, names.main(Queue.TRANSCRIBE))) == 2
    assert order("purge").json()["count"] == 1
    assert client.get(LETTERS).json()["total"] == 0
    # And all was written down
    found = [(one.action, one.target, one.count) for one in audit.list_actions(database).actions]
    assert found == [
        ("purge_dead_letters", "all queues", 1),
        ("requeue_dead_letters", f"{ids[2]} of all queues", 1),
        ("purge_dead_letters", f"{','.join(sorted(ids[:2]))} of all queues", 1),
        ("requeue_dead_letters", "all queues", 1),
    ]
    assert client.get(f"{LETTERS}/{ids[0]}").json()["code"] == "dead_letter_not_found"


@pytest.mark.parametrize("settings", ["classic"], indirect=True)
def test_while_rabbitmq_is_away_the_queues_are_still_to_be_seen(settings: Settings, database: Database) -> None:
    # Given a broker that does not answer
    away = settings.model_copy(update={"broker_url": "amqp://guest:guest@127.0.0.1:1/"})
    with TestClient(create_app(away, database=database), base_url="http://127.0.0.1") as client:
        # Then what the database knows is there, and dead letters are not
        found = client.get("/api/v1/operator/queues").json()["queues"]
        assert {(each["ready"], each["dead_letters"]) for each in found} == {(None, None)}
        answer = client.get(LETTERS)
        assert (answer.status_code, answer.json()["code"]) == (503, "broker_unavailable")
