"""Couriers that deliver to a real receiver, which verifies every signature."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from octavia.errors import Unavailable
from octavia.jobs.access import webhooks
from octavia.jobs.access.webhooks import DeliveryRecord
from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol.cancel import cancel
from octavia.jobs.tables.database import Database, now
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.rows import WebhookDelivery
from octavia.jobs.tables.states import DeliveryStatus, JobType
from octavia.settings import Settings
from octavia.worker import courier as courier_module
from octavia.worker.courier import Courier
from tests.support.receiver import SECRET, Receiver

ALLOWED = Settings(outbound_allow="127.0.0.1")

# A courier that is killed after its receiver has answered and before that is written down.
_KILLED = """
import os, signal, sys
from octavia.jobs.access import webhooks
from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from octavia.worker.courier import Courier
webhooks.record = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
courier = Courier(Settings(outbound_allow="127.0.0.1"), Database(sys.argv[1]))
courier.start()
courier._thread.join(30)
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deliveries that are tried again soon."""
    monkeypatch.setattr(webhooks, "_FIRST_PAUSE", 0.05)


@contextmanager
def working(db: Database, settings: Settings = ALLOWED, **timings: float) -> Iterator[Courier]:
    """A courier that looks often and tries again soon."""
    courier = Courier(settings, db, **{"poll": 0.05, "first_pause": 0.05, **timings})
    courier.start()
    try:
        yield courier
    finally:
        courier.stop(timeout=20)
        assert not courier._thread.is_alive()


def ended(db: Database, url: str, secret: str | None = SECRET) -> UUID:
    """A job that has just ended and is to be told of."""
    new = NewJob(JobType.TRANSCRIBE, "en", input={"kind": "media"}, webhook_url=url, webhook_secret=secret)
    job = submit.create(db, new)
    cancel(db, job.id, "local")
    return job.id


def delivery(db: Database, job_id: UUID) -> DeliveryRecord:
    (found,) = webhooks.deliveries(db, job_id, "local")
    return found


def over(db: Database, job_id: UUID) -> bool:
    return delivery(db, job_id).status is not DeliveryStatus.PENDING


def test_a_delivery_arrives_signed(database: Database, receiver: Receiver) -> None:
    # Given a job that has ended
    job_id = ended(database, receiver.url)
    # When a courier works
    with working(database):
        receiver.until(lambda: over(database, job_id))
    # Then its end arrived once, genuine, under the delivery's id
    (received,) = receiver.received
    assert receiver.forged == 0
    assert (received.type, received.data["id"]) == ("job.canceled", str(job_id))
    found = delivery(database, job_id)
    assert received.id == f"msg_{found.id}"
    assert (found.status, found.attempts, found.response_status) == (DeliveryStatus.DELIVERED, 1, 200)
    assert received.headers["user-agent"].startswith("Octavia/")
    assert received.headers["content-type"] == "application/json"
    assert json.loads(received.body)["timestamp"].endswith("+00:00")


def test_its_links_have_the_path_under_which_the_api_is_served(database: Database, receiver: Receiver) -> None:
    # Given a job that ended before the operator moved the API below a path
    job_id = ended(database, receiver.url)
    with working(database, ALLOWED.model_copy(update={"root_path": "/octavia"})):
        receiver.until(lambda: over(database, job_id))
    (received,) = receiver.received
    assert receiver.forged == 0
    assert received.data["links"]["self"] == f"/octavia/api/v1/jobs/{job_id}"


def test_a_courier_that_cannot_start_tries_again(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given certificates that can be read only the second time
    make, failures = courier_module.outbound.client, iter([OSError("no certificates")])

    def client(*given, **named):
        for failure in failures:
            raise failure
        return make(*given, **named)

    monkeypatch.setattr(courier_module.outbound, "client", client)
    # When a courier works
    job = ended(database, receiver.url)
    with working(database):
        # Then it delivers all the same
        receiver.until(lambda: delivery(database, job).status is DeliveryStatus.DELIVERED)


def test_a_receiver_in_trouble_gets_it_again(database: Database, receiver: Receiver) -> None:
    # Given a receiver that fails twice
    receiver.answers = [500, 500]
    job_id = ended(database, receiver.url)
    # When a courier works
    with working(database):
        receiver.until(lambda: over(database, job_id))
    # Then it got the same webhook three times, with the same id
    assert len(receiver.received) == 3
    assert len({received.id for received in receiver.received}) == 1
    assert (delivery(database, job_id).status, delivery(database, job_id).attempts) == (DeliveryStatus.DELIVERED, 3)


@pytest.mark.parametrize("status", [401, 404, 302])
def test_a_receiver_that_refuses_once_gets_it_again(database: Database, receiver: Receiver, status: int) -> None:
    # Given a receiver that refuses once, or sends elsewhere
    receiver.answers = [status]
    receiver.headers = {"Location": f"{receiver.url}/login"}
    job_id = ended(database, receiver.url)
    # When a courier works
    with working(database):
        receiver.until(lambda: over(database, job_id))
    # Then it was asked twice, at its own address, and has the webhook
    assert len(receiver.received) == 2
    found = delivery(database, job_id)
    assert (found.status, found.attempts, found.error) == (DeliveryStatus.DELIVERED, 2, None)


def test_a_receiver_that_is_gone_is_left_alone(database: Database, receiver: Receiver) -> None:
    # Given a receiver that wants no more
    receiver.answers = [410]
    job_id = ended(database, receiver.url)
    # When a courier works
    with working(database):
        receiver.until(lambda: over(database, job_id))
    # Then it asked once, and the reason is kept
    assert len(receiver.received) == 1
    found = delivery(database, job_id)
    assert (found.status, found.response_status) == (DeliveryStatus.FAILED, 410)
    assert "410" in (found.error or "")


def test_a_wish_for_more_time_is_honoured(database: Database, receiver: Receiver) -> None:
    # Given a receiver that is asked too much
    receiver.answers = [429]
    receiver.headers = {"Retry-After": "100"}
    job_id = ended(database, receiver.url)
    # When a courier works
    with working(database):
        receiver.until(lambda: delivery(database, job_id).response_status == 429)
    # Then the next attempt is not due before
    next_at = delivery(database, job_id).next_attempt_at
    with database.reading() as session:
        assert next_at is not None
        assert next_at - now(session) > timedelta(seconds=80)


def test_a_receiver_that_does_not_answer_is_not_waited_for(database: Database, receiver: Receiver) -> None:
    # Given a receiver that takes its time, and another one
    receiver.hold.clear()
    slow = ended(database, receiver.url)
    with Receiver() as other, working(database, post_seconds=0.3):
        # When a courier works
        quick = ended(database, other.url)
        receiver.until(lambda: delivery(database, slow).error and over(database, quick))
        # Then the slow one is tried again later, the other was not kept waiting
        assert "did not answer within" in (delivery(database, slow).error or "")
        receiver.hold.set()
        receiver.until(lambda: over(database, slow))
    assert delivery(database, slow).status is DeliveryStatus.DELIVERED


def test_an_address_that_is_not_public_gets_nothing(database: Database, receiver: Receiver) -> None:
    # Given a receiver on this machine, which nobody has allowed
    job_id = ended(database, receiver.url)
    # When a courier works
    with working(database, Settings()):
        receiver.until(lambda: delivery(database, job_id).attempts >= 2)
    # Then nothing was sent, and the reason is kept
    assert receiver.received == []
    assert "not public" in (delivery(database, job_id).error or "")
    # When it is allowed after all, Then it is not lost
    with working(database):
        receiver.until(lambda: over(database, job_id))
    assert delivery(database, job_id).status is DeliveryStatus.DELIVERED


def test_nobody_there_is_tried_again(database: Database, receiver: Receiver) -> None:
    # Given a receiver that is not there, at a port that nobody else can take
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        job_id = ended(database, f"http://127.0.0.1:{nobody.getsockname()[1]}/hook?token=abc")
        # When a courier works
        with working(database):
            receiver.until(lambda: delivery(database, job_id).attempts >= 2)
    # Then the reason is kept, without what the address holds in its query
    found = delivery(database, job_id)
    assert "does not answer" in (found.error or "")
    assert "token" not in (found.error or "")


def test_a_fault_of_ours_is_tried_again_with_pauses(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a courier that stumbles over a webhook
    def broken(*_: object) -> dict[str, str]:
        raise RuntimeError("a bug")

    monkeypatch.setattr(courier_module.signing, "headers", broken)
    job_id = ended(database, receiver.url)
    # When it works
    with working(database):
        # Then it tries more than once, and gives up when the time for that is over
        receiver.until(lambda: delivery(database, job_id).attempts > 1)
        with database.transaction() as session:
            session.execute(sa.update(WebhookDelivery).values(give_up_at=now(session)))
        receiver.until(lambda: over(database, job_id))
    found = delivery(database, job_id)
    assert (found.status, receiver.received) == (DeliveryStatus.FAILED, [])
    assert "log" in (found.error or "")


def test_without_a_secret_of_its_own_it_is_signed_with_the_operators(database: Database, receiver: Receiver) -> None:
    # Given a job without a secret or key
    job_id = ended(database, receiver.url, secret=None)
    # When a courier works whose operator has one
    with working(database, Settings(outbound_allow="127.0.0.1", webhook_secret=SECRET)):
        receiver.until(lambda: over(database, job_id))
    # Then the webhook is genuine
    assert len(receiver.received) == 1
    # When there is none at all any more, Then nothing goes out unsigned
    unsigned = ended(database, receiver.url, secret=None)
    with working(database):
        receiver.until(lambda: delivery(database, unsigned).attempts >= 2)
    assert len(receiver.received) + receiver.forged == 1
    assert "secret" in (delivery(database, unsigned).error or "")
    # When a courier works that has one, Then it goes out after all
    with working(database, Settings(outbound_allow="127.0.0.1", webhook_secret=SECRET)):
        receiver.until(lambda: over(database, unsigned))
    assert len(receiver.received) == 2


def test_two_couriers_deliver_each_webhook_once(database: Database, receiver: Receiver) -> None:
    # Given thirty webhooks
    jobs = [ended(database, receiver.url) for _ in range(30)]
    # When two couriers work
    with working(database), working(database):
        receiver.until(lambda: all(over(database, job_id) for job_id in jobs))
    # Then each arrived once
    assert len(receiver.received) == len({received.id for received in receiver.received}) == 30


def test_a_killed_couriers_webhook_is_delivered_again_under_its_id(
    database: Database, database_url: str, receiver: Receiver
) -> None:
    # Given a courier that is killed when its receiver has the webhook, before it can write that down
    job_id = ended(database, receiver.url)
    killed = subprocess.run([sys.executable, "-c", _KILLED, database_url], check=False, timeout=60)
    assert killed.returncode == -9
    assert len(receiver.received) == 1
    assert not over(database, job_id)
    # When its lease has ended and another courier works
    with database.transaction() as session:
        session.execute(sa.update(WebhookDelivery).values(leased_until=now(session)))
    with working(database):
        receiver.until(lambda: over(database, job_id))
    # Then the webhook came again, with the id by which the receiver knows it
    first, second = receiver.received
    assert first.id == second.id


def test_a_courier_survives_a_database_that_is_away(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a database that is away when the courier looks, and again when it would write down what came of it
    lease, record = webhooks.lease, webhooks.record
    outages = {"lease": 3, "record": 3}

    def away(name: str) -> None:
        if outages[name]:
            outages[name] -= 1
            raise Unavailable("away", code="database_unavailable")

    def leasing(*args: object, **kwargs: object) -> object:
        away("lease")
        return lease(*args, **kwargs)  # type: ignore[arg-type]

    def recording(*args: object) -> object:
        away("record")
        return record(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(webhooks, "lease", leasing)
    monkeypatch.setattr(webhooks, "record", recording)
    job_id = ended(database, receiver.url)
    # When a courier works
    with working(database):
        receiver.until(lambda: over(database, job_id))
    # Then the webhook arrived once, and that is known
    assert outages == {"lease": 0, "record": 0}
    assert len(receiver.received) == 1


def test_stop_leaves_webhooks_under_way_to_their_leases(database: Database, receiver: Receiver) -> None:
    # Given a courier whose receiver does not answer, and for which it would wait much longer than it has to stop
    receiver.hold.clear()
    job_id = ended(database, receiver.url)
    courier = Courier(ALLOWED, database, post_seconds=100.0)
    courier.start()
    receiver.until(lambda: receiver.received)
    # When it is told to stop
    courier.stop(timeout=20)
    # Then it does, and the delivery is not over
    assert not courier._thread.is_alive()
    assert not over(database, job_id)
    # When nobody has started one, Then stopping it is no error
    Courier(ALLOWED, database).stop()
