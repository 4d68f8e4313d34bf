"""The API is killed at every point of a submission: whoever asks again with the same key gets one job, once."""

from collections.abc import Iterator
from contextlib import suppress
from uuid import UUID, uuid4

import httpx
import pika
import pytest
import sqlalchemy as sa
from sqlmodel import col

from octavia.brokers.queues import real_name
from octavia.jobs.access.idempotency import ABANDONED
from octavia.jobs.protocol.claims import NotClaimable
from octavia.jobs.protocol.messages import decode, ref_of
from octavia.jobs.tables.database import clock
from octavia.jobs.tables.records import TaskRef
from octavia.jobs.tables.rows import IdempotencyKey, Job
from octavia.jobs.tables.states import Queue, Stage
from tests.integration.faults.killing import Doomed, doomed
from tests.integration.faults.points import Point
from tests.integration.jobs.steps import Steps
from tests.support.ports import free_port
from tests.support.postgres import PrivatePostgres

_FORM = {"type": "transcribe", "source_language": "en"}


class Api:
    """An API process that is kept, over a deployment, and a client that does not give up."""

    def __init__(self, deployment: Doomed) -> None:
        self.deployment = deployment
        self.steps = Steps(deployment.db)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{deployment.settings.port}", timeout=30)
        deployment.keep("api", "serve", "--no-workers")
        self.until_answers()

    def until_answers(self) -> None:
        self.deployment.until(self._answers)

    def _answers(self) -> bool:
        try:
            return self.client.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def post(self, key: str) -> httpx.Response:
        file = {"file": ("talk.wav", b"RIFF, as far as anybody looks", "audio/wav")}
        return self.client.post("/api/v1/jobs", data=_FORM, files=file, headers={"Idempotency-Key": key})

    def jobs(self) -> int:
        with self.deployment.db.reading() as session:
            return session.scalars(sa.select(sa.func.count()).select_from(Job)).one()

    def unheard(self) -> None:
        """The minute is over that a claim on a key lasts whose owner says nothing more."""
        with self.deployment.db.transaction() as session:
            session.execute(
                sa.update(IdempotencyKey)
                .where(col(IdempotencyKey.fingerprint).is_(None))
                .values(seen_at=clock(self.deployment.db) - ABANDONED)
            )

    def received(self) -> list[TaskRef]:
        """Every message that is on the queue of a job's first stage."""
        found = []
        with pika.BlockingConnection(pika.URLParameters(self.deployment.settings.broker_url)) as connection:
            channel, name = connection.channel(), real_name(self.deployment.settings.queue_prefix, Queue.DEFAULT)
            while (got := channel.basic_get(name, auto_ack=True))[0] is not None:
                found.append(ref_of(decode(got[2])))
        return found


@pytest.fixture(scope="module")
def api(
    postgres: PrivatePostgres,
    postgres_template: str,
    rabbitmq: object,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Api]:
    folder, name = tmp_path_factory.mktemp("api"), postgres.create(postgres_template)
    with doomed(folder, postgres.url(name), rabbitmq.url, port=free_port()) as deployment:
        api = Api(deployment)
        yield api
        api.client.close()
    postgres.drop(name)


@pytest.mark.parametrize("point", [Point.STORED, Point.COMMITTED, Point.LEASED, Point.UNMARKED])
def test_a_submission_survives_the_api(api: Api, point: Point) -> None:
    # Given an API that is about to be killed at this point
    deployment, key, before = api.deployment, str(uuid4()), api.jobs()
    deployment.doom(point)
    # When somebody submits a job, and may or may not hear of it
    with suppress(httpx.TransportError):
        answer = api.post(key)
        assert point in (Point.LEASED, Point.UNMARKED), answer.text
    # And asks again with the same key, once there is another API, until there is an answer
    deployment.until(deployment.died)
    api.until_answers()
    if point is Point.STORED:
        # Until the dead one's claim on the key has ended this would be told to come again.
        api.unheard()
    answer = api.post(key)
    assert answer.status_code == 202, answer.text
    assert ("idempotency-replayed" in answer.headers) == (point is not Point.STORED)
    # Then there is one job, and its first message goes out
    job_id = UUID(answer.json()["id"])
    assert api.jobs() == before + 1
    deployment.until(lambda: deployment.unsent() == 0)
    messages = [ref for ref in api.received() if ref.job_id == job_id]
    assert messages == [TaskRef(job_id, 1, -1, Stage.PREPARE)] * (2 if point is Point.UNMARKED else 1)
    # And whichever copy comes first is worked on, and no other
    api.steps.claim(messages[0])
    for copy in messages[1:]:
        with pytest.raises(NotClaimable):
            api.steps.claim(copy)
    # And nothing is left of the attempt that failed
    deployment.check_files()
