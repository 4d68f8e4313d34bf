"""With a broker, what the API accepts is on its way to a worker without anybody else's help."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pika
import pytest
from starlette.testclient import TestClient

from octavia.brokers.queues import real_name
from octavia.jobs.protocol.messages import decode, ref_of
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import Queue, Stage
from octavia.settings import Settings
from octavia.web import create_app
from tests.integration.jobs.steps import Steps
from tests.support.waiting import until

DUB = {"type": "dub", "source_language": "en", "target_language": "es"}


@pytest.fixture
def settings(tmp_path: Path, postgres_url: str, rabbitmq_url: str) -> Settings:
    return Settings(
        data_dir=tmp_path,
        models_dir=tmp_path / "models",
        database_url=postgres_url,
        broker_url=rabbitmq_url,
        queue_prefix=f"test-{uuid4().hex[:8]}",
    )


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database)
    yield database
    database.close()


def test_an_accepted_job_is_published(settings: Settings, steps: Steps) -> None:
    # Given the API with RabbitMQ, ready, and no workers
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        until(lambda: client.get("/readyz").json()["checks"]["broker"] == {"status": "ok"})
        # When a job is submitted with priority
        answer = client.post("/api/v1/jobs", data={**DUB, "priority": "high"}, files={"file": ("a.wav", b"sound")})
        assert answer.status_code == 202, answer.text
        # Then its first message is soon on the queue
        until(lambda: steps.unsent() == [])
        with pika.BlockingConnection(pika.URLParameters(settings.broker_url)) as connection:
            queue = real_name(settings.queue_prefix, Queue.DEFAULT)
            _, properties, body = connection.channel().basic_get(queue, auto_ack=True)
    ref = ref_of(decode(body))
    assert (ref.job_id, ref.stage) == (UUID(answer.json()["id"]), Stage.PREPARE)
    assert properties.priority == 3


def test_a_job_is_accepted_while_the_broker_is_away(settings: Settings) -> None:
    # Given the API, and no broker where it should be
    away = settings.model_copy(update={"broker_url": "amqp://127.0.0.1:1"})
    with TestClient(create_app(away), base_url="http://127.0.0.1") as client:
        # When a job is submitted, then it is accepted, although the API says that it is not all well
        answer = client.post("/api/v1/jobs", data=DUB, files={"file": ("a.wav", b"sound")})
        assert (answer.status_code, answer.json()["status"]) == (202, "queued")
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["checks"]["broker"]["code"] == "broker_unavailable"
