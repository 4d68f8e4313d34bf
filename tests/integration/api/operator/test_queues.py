"""``/operator/queues``, ``pauses``, ``scheduler`` and ``outbox``: what an operator sees and orders, and who may."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from octavia.jobs.access.keys import Scope
from octavia.jobs.operations import audit
from octavia.jobs.status import rounds, workers
from octavia.jobs.tables.states import Queue
from tests.integration.api.keyed import Keyed
from tests.integration.jobs.steps import Steps

OPERATOR = "/api/v1/operator"
PAUSES = f"{OPERATOR}/pauses"
UNKNOWN = "019b0000-0000-7000-8000-000000000000"


def queue(client: TestClient, name: str) -> dict[str, Any]:
    found = client.get(f"{OPERATOR}/queues").json()["queues"]
    return next(each for each in found if each["name"] == name)


def test_a_queue_is_paused_drained_and_resumed(client: TestClient, steps: Steps) -> None:
    # Given a job that waits, and a worker on a host
    steps.submit()
    workers.mark_seen(steps.db, "one:1:x", "one", 1, [Queue.DEFAULT], None, 1)
    # When its queue is paused there
    answer = client.post(PAUSES, json={"queue": "default", "host": "one", "reason": "<b>new</b> model"})
    # Then that is in force, and concerns the worker
    assert answer.status_code == 201
    order = answer.json()
    assert {key: order[key] for key in ("queue", "host", "mode", "reason", "by", "workers")} == {
        "queue": "default",
        "host": "one",
        "mode": "pause",
        "reason": "<b>new</b> model",
        "by": "local",
        "workers": 1,
    }
    # And its queue says so
    found = queue(client, "default")
    assert (found["depth"], found["running"], found["waiting_retry"], found["workers"]) == (1, 0, 0, 1)
    assert found["pause"]["orders"] == client.get(PAUSES).json()["pauses"]
    assert {key: found["pause"][key] for key in ("mode", "everywhere", "hosts", "standing")} == {
        "mode": "pause",
        "everywhere": False,
        "hosts": ["one"],
        "standing": True,
    }
    assert queue(client, "translate")["pause"] is None
    # And without a broker there is nothing to say of one
    assert [found[name] for name in ("ready", "unacked", "dead_letters", "console_url")] == [None] * 4
    # When it is ordered again, and otherwise, Then it stays one pause
    assert client.post(PAUSES, json={"queue": "default", "host": "one", "mode": "drain"}).json()["id"] == order["id"]
    assert queue(client, "default")["pause"]["mode"] == "drain"
    # When it is resumed, Then it is gone, and cannot be resumed again
    assert client.delete(f"{PAUSES}/{order['id']}").json()["mode"] == "drain"
    assert client.delete(f"{PAUSES}/{order['id']}").json()["code"] == "pause_not_found"
    assert queue(client, "default")["pause"] is None
    # And all was written down
    assert [one.action for one in audit.list_actions(steps.db).actions] == ["resume", "drain", "pause"]


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "pause_too_wide", "everything"),
        ({"everything": True, "queue": "default"}, "pause_too_wide", "everything"),
        ({"queue": "nowhere"}, "invalid_field", "queue"),
        ({"host": "a b"}, "invalid_field", "host"),
        ({"host": "a\0"}, "invalid_field", "host"),
        ({"host": "x" * 256}, "invalid_field", "host"),
        ({"queue": "default", "mode": "stop"}, "invalid_field", "mode"),
        ({"queue": "default", "reason": "x" * 501}, "invalid_field", "reason"),
        ({"queue": "default", "reason": "\0"}, "invalid_field", "reason"),
        ({"queue": "default", "until": 1}, "unknown_field", None),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(
    client: TestClient, body: dict[str, object], code: str, field: str | None
) -> None:
    answer = client.post(PAUSES, json=body)
    assert (answer.status_code // 100, answer.json()["code"]) == (4, code)
    assert field is None or answer.json()["field"] == field
    assert client.get(PAUSES).json() == {"pauses": []}


@pytest.mark.parametrize("pause_id", [UNKNOWN, "x", "default"])
def test_what_is_not_paused_cannot_be_resumed(client: TestClient, pause_id: str) -> None:
    answer = client.delete(f"{PAUSES}/{pause_id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "pause_not_found")


def test_everything_is_paused_only_by_saying_so(client: TestClient) -> None:
    # When everything is paused, Then each queue stands; a host that nobody knows concerns no worker
    assert client.post(PAUSES, json={"everything": True}).status_code == 201
    assert {each["pause"]["standing"] for each in client.get(f"{OPERATOR}/queues").json()["queues"]} == {True}
    assert client.post(PAUSES, json={"host": "nowhere"}).json()["workers"] == 0


def test_reading_takes_one_scope_and_ordering_another(keyed: Keyed) -> None:
    # Given keys to operate, to read what operators see, and for all but that
    operator = keyed.client("root", [Scope.OPERATE, Scope.OPERATE_WRITE])
    reader = keyed.client("eyes", [Scope.OPERATE])
    client = keyed.client("ann", [Scope.READ, Scope.WRITE, Scope.ADMIN])
    order = operator.post(PAUSES, json={"queue": "default"}).json()
    assert order["by"].startswith("root (")
    reads = [f"{OPERATOR}/{name}" for name in ("queues", "pauses", "scheduler", "outbox", "dead-letters")]
    changes = [
        ("POST", PAUSES, {"queue": "default"}),
        ("DELETE", f"{PAUSES}/{order['id']}", None),
        *(("POST", f"{OPERATOR}/dead-letters/{verb}", {}) for verb in ("requeue", "purge")),
    ]
    # When they ask, Then only a key with the scope gets an answer
    assert {reader.get(path).status_code for path in reads} == {200}
    assert {client.get(path).json()["code"] for path in reads} == {"scope_missing"}
    for method, path, body in changes:
        for one in (reader, client):
            assert one.request(method, path, json=body).json()["code"] == "scope_missing"
    assert len(reader.get(PAUSES).json()["pauses"]) == 1


def test_the_scheduler_and_the_outbox(client: TestClient, steps: Steps) -> None:
    # Given a round of maintenance that failed, a message that waits, and one that was sent
    rounds.mark_scheduled(steps.db, "prune")
    rounds.mark_started(steps.db, "prune")
    rounds.mark_finished(steps.db, "prune", error="Unavailable: no disk")
    steps.submit()
    steps.deliver()
    steps.submit()
    # Then an operator sees them
    answer = client.get(f"{OPERATOR}/scheduler").json()
    assert [each["actor"] for each in answer["rounds"]] == list(rounds.SCHEDULE)
    (prune,) = [each for each in answer["rounds"] if each["actor"] == "prune"]
    assert (answer["late"], prune["error"], prune["every"]) == (False, "Unavailable: no disk", "47 * * * *")
    (default,) = [each for each in client.get(f"{OPERATOR}/outbox").json()["queues"] if each["queue"] == "default"]
    assert default.pop("oldest_seconds") >= 0
    assert default == {"queue": "default", "waiting": 1, "due": 1, "leased": 0}


def test_without_a_broker_there_are_no_dead_letters(client: TestClient) -> None:
    letters = f"{OPERATOR}/dead-letters"
    assert client.get(letters).json() == {"dead_letters": [], "total": 0}
    assert client.get(f"{letters}/abc").json()["code"] == "dead_letter_not_found"
    for verb in ("requeue", "purge"):
        done = client.post(f"{letters}/{verb}", json={"ids": ["abc"]}).json()
        assert (done["count"], done["missing"], done["action_id"]) == (0, ["abc"], None)
        answer = client.post(f"{letters}/{verb}", json={"expected": 2})
        assert (answer.status_code, answer.json()["code"], answer.json()["count"]) == (409, "count_changed", 0)


def test_a_paused_queue_without_workers_is_no_fault(client: TestClient) -> None:
    # Given an API for which a queue needs workers, and there are none
    served = client.app.state.served_queues  # type: ignore[attr-defined]
    served._needed = [Queue.TRANSLATE]
    assert client.get("/readyz").json()["checks"]["workers"]["code"] == "no_workers"
    # When the queue is drained, Then the API is ready, and says why nobody works
    order = client.post(PAUSES, json={"queue": "translate", "mode": "drain"}).json()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["workers"]["detail"]) == (200, "paused: translate")
    # And an order for some host hides nothing
    client.delete(f"{PAUSES}/{order['id']}")
    client.post(PAUSES, json={"host": "one", "mode": "drain"})
    assert client.get("/readyz").status_code == 503
