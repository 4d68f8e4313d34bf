"""Webhooks as clients of the API see them: asked for with a job, listed, and delivered again."""

import base64
from typing import Any
from uuid import UUID, uuid4

import pytest
from starlette.testclient import TestClient

from octavia.jobs.access import webhooks
from octavia.jobs.access.keys import Scope
from octavia.jobs.access.webhooks import Outcome, Verdict
from octavia.jobs.protocol import cancel
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.rows import Job
from octavia.jobs.tables.states import DeliveryStatus
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.web import create_app
from tests.integration.api.conftest import Stored
from tests.integration.api.keyed import Keyed

JOBS = "/api/v1/jobs"
ALL = "/api/v1/webhooks"
SECRET = "whsec_" + base64.b64encode(b"x" * 32).decode()
URL = "https://example.com/hook?token=abc"
TEXT = {"type": "translate", "text": "Good morning.", "source_language": "en", "target_language": "es"}
WITH = TEXT | {"webhook_url": URL, "webhook_secret": SECRET}


def submitted(client: TestClient, **fields: Any) -> dict[str, Any]:
    answer = client.post(JOBS, json=WITH | fields)
    assert answer.status_code == 202, answer.text
    assert "whsec" not in answer.text
    return dict(answer.json())


def row(database: Database, job: dict[str, Any]) -> Job:
    with database.reading() as session:
        return session.get_one(Job, UUID(job["id"]))


def test_a_job_may_name_its_webhook(client: TestClient, database: Database) -> None:
    # Given a text, and a recording, with a webhook
    of_text = submitted(client)
    answer = client.post(
        JOBS,
        data={"type": "dub", "target_language": "es", "webhook_url": URL, "webhook_secret": SECRET},
        files={"file": ("talk.wav", b"RIFF not really", "audio/wav")},
    )
    assert answer.status_code == 202, answer.text
    # When they are looked at
    for job in (of_text, answer.json()):
        # Then both are kept, and the secret is never shown again
        assert (row(database, job).webhook_url, row(database, job).webhook_secret) == (URL, SECRET)
        for path in ("", f"/{job['id']}", f"/{job['id']}/status", f"/{job['id']}/webhooks"):
            assert "whsec" not in client.get(JOBS + path).text


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"webhook_url": "http://127.0.0.1/"}, "webhook_url", "url_not_allowed"),
        ({"webhook_url": "http://169.254.169.254/"}, "webhook_url", "url_not_allowed"),
        ({"webhook_url": "http://0x7f.1/"}, "webhook_url", "url_not_allowed"),
        ({"webhook_url": "https://me:you@example.com/"}, "webhook_url", "url_not_allowed"),
        ({"webhook_url": "ftp://example.com/"}, "webhook_url", "url_not_allowed"),
        ({"webhook_url": ""}, "webhook_secret", "not_applicable"),
        ({"webhook_url": "https://example.com/" + "a" * 2000}, "webhook_url", "invalid_field"),
        ({"webhook_url": "https://example.com/" + "ü" * 1000}, "webhook_url", "url_not_allowed"),
        ({"webhook_secret": "hunter2"}, "webhook_secret", "invalid_field"),
        ({"webhook_secret": "whsec_c2hvcnQ="}, "webhook_secret", "invalid_field"),
        ({"webhook_secret": None}, "webhook_secret", "webhook_secret_required"),
        ({"webhook_url": None}, "webhook_secret", "not_applicable"),
    ],
)
def test_an_invalid_webhook_is_refused_before_anything_is_stored(
    client: TestClient, stored: Stored, fields: dict[str, Any], field: str, code: str
) -> None:
    # Given a webhook that could not be delivered, or not be trusted
    # When a job is submitted with it
    answer = client.post(JOBS, json=WITH | fields)
    # Then it is refused, naming the field and repeating no secret
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, code, field)
    assert "hunter2" not in answer.text
    assert "c2hvcnQ" not in answer.text
    assert stored.empty


def test_the_operator_may_have_a_secret_for_all(settings: Settings, database: Database, storage: Storage) -> None:
    # Given a service with a secret of its own
    app = create_app(settings.model_copy(update={"webhook_secret": SECRET}), database=database, storage=storage)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        # When a job names no secret
        job = submitted(client, webhook_secret=None)
    # Then it is accepted, and the operator's is not copied
    assert row(database, job).webhook_secret is None


def test_deliveries_are_listed_and_made_again(client: TestClient, database: Database) -> None:
    # Given a job that has not ended
    job = submitted(client)
    url = f"{JOBS}/{job['id']}/webhooks"
    assert client.get(url).json() == {"webhooks": []}
    # When it ends and the receiver is gone
    cancel.cancel(database, UUID(job["id"]), "local")
    (leased,) = webhooks.lease(database, limit=1, seconds=30)
    webhooks.record(database, leased, Outcome(Verdict.GONE, 410, "The receiver is gone."))
    # Then that is listed, without what the address holds in its query
    (delivery,) = client.get(url).json()["webhooks"]
    assert delivery["url"] == "https://example.com/hook?…"
    assert (delivery["type"], delivery["status"], delivery["attempts"]) == ("job.canceled", "failed", 1)
    assert (delivery["response_status"], delivery["error"]) == (410, "The receiver is gone.")
    assert delivery["next_attempt_at"] is None
    # When it is asked for again, by its id or by the one that the receiver saw
    for id in (delivery["id"], f"msg_{delivery['id']}"):
        answer = client.post(f"{url}/{id}/redeliver")
        # Then it is due, under its id
        assert (answer.status_code, answer.json()["id"], answer.json()["status"]) == (202, delivery["id"], "pending")
    (again,) = webhooks.lease(database, limit=1, seconds=30)
    assert again.id == leased.id
    assert webhooks.record(database, again, Outcome(Verdict.DELIVERED, 200)) is DeliveryStatus.DELIVERED


def failed(client: TestClient, database: Database, *, amount: int = 1) -> list[str]:
    """The ids of jobs of this client whose webhooks failed, newest first."""
    jobs = [str(client.post(JOBS, json=WITH).json()["id"]) for _ in range(amount)]
    for job_id in jobs:
        with database.reading() as session:
            owner = session.get_one(Job, UUID(job_id)).owner
        cancel.cancel(database, UUID(job_id), owner)
    for leased in webhooks.lease(database, limit=amount, seconds=30):
        webhooks.record(database, leased, Outcome(Verdict.GONE, 410, "The receiver is gone."))
    return jobs[::-1]


def test_failed_webhooks_of_all_jobs_are_listed_in_pages_and_made_again(client: TestClient, database: Database) -> None:
    # Given three jobs whose webhooks failed, and one whose webhook waits
    jobs = failed(client, database, amount=3)
    waiting = submitted(client)
    cancel.cancel(database, UUID(waiting["id"]), "local")
    # When the failed ones are listed, page by page
    first = client.get(ALL, params={"status": "failed", "limit": 2}).json()
    second = client.get(ALL, params={"status": "failed", "limit": 2, "cursor": first["next_cursor"]}).json()
    # Then all are there, newest first, each with its job
    assert [one["job_id"] for one in (*first["webhooks"], *second["webhooks"])] == jobs
    assert second["next_cursor"] is None
    assert {one["url"] for one in first["webhooks"]} == {"https://example.com/hook?…"}
    assert [one["job_id"] for one in client.get(ALL).json()["webhooks"]] == [waiting["id"], *jobs]
    # When one is asked for again from the list
    (last,) = second["webhooks"]
    answer = client.post(f"{ALL}/msg_{last['id']}/redeliver")
    # Then it is due
    assert (answer.status_code, answer.json()["id"], answer.json()["status"]) == (202, last["id"], "pending")
    assert len(client.get(ALL, params={"status": "failed"}).json()["webhooks"]) == 2


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ({"status": "lost"}, "invalid_field", "status"),
        ({"limit": "0"}, "invalid_field", "limit"),
        ({"cursor": "abc"}, "invalid_cursor", "cursor"),
        ({"state": "failed"}, "unknown_field", "state"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(
    client: TestClient, query: dict[str, str], code: str, field: str
) -> None:
    # Given a query that cannot be meant
    # When webhooks are listed with it
    answer = client.get(ALL, params=query)
    # Then the field is named
    assert (answer.json()["code"], answer.json()["field"]) == (code, field)


def test_operators_see_the_webhooks_of_all_owners(keyed: Keyed, database: Database) -> None:
    # Given webhooks of two owners that failed
    ann, bob = keyed.client("ann"), keyed.client("bob")
    (anns,), (bobs,) = failed(ann, database), failed(bob, database)
    # When they list theirs, Then each sees their own
    for client, job_id in ((ann, anns), (bob, bobs)):
        assert [one["job_id"] for one in client.get(ALL).json()["webhooks"]] == [job_id]
    # When they ask for everybody's, or to repeat another's, Then they may not
    (delivery,) = bob.get(ALL).json()["webhooks"]
    for method, path in (("GET", ALL), ("POST", f"{ALL}/{delivery['id']}/redeliver")):
        answer = ann.request(method, path, params={"all_owners": "true"})
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    answer = ann.post(f"{ALL}/{delivery['id']}/redeliver")
    assert (answer.status_code, answer.json()["code"]) == (404, "delivery_not_found")
    # When an operator does
    operator = keyed.client("root", list(Scope))
    everybodys = operator.get(ALL, params={"status": "failed", "all_owners": "true"}).json()["webhooks"]
    # Then they are there with their owners, and can be made again
    assert [(one["owner"], one["job_id"]) for one in everybodys] == [("bob", bobs), ("ann", anns)]
    answer = operator.post(f"{ALL}/{delivery['id']}/redeliver", params={"all_owners": "true"})
    assert (answer.status_code, answer.json()["owner"], answer.json()["status"]) == (202, "bob", "pending")
    # But without saying so, only their own
    assert operator.get(ALL).json()["webhooks"] == []


@pytest.mark.parametrize("delivery_id", ["nonsense", str(UUID(int=7)), f"msg_{UUID(int=7)}"])
def test_redelivering_an_unknown_delivery_is_not_found(client: TestClient, delivery_id: str) -> None:
    # Given a job without such a delivery
    job = submitted(client)
    # When it is asked for
    answer = client.post(f"{JOBS}/{job['id']}/webhooks/{delivery_id}/redeliver")
    of_any_job = client.post(f"{ALL}/{delivery_id}/redeliver")
    # Then it is not found
    for one in (answer, of_any_job):
        assert (one.status_code, one.json()["code"]) == (404, "delivery_not_found")


def test_webhooks_of_an_unknown_job_are_not_found(client: TestClient) -> None:
    # Given no such job
    for method, path in (("GET", "webhooks"), ("POST", f"webhooks/{uuid4()}/redeliver")):
        # When its webhooks are asked for
        answer = client.request(method, f"{JOBS}/{uuid4()}/{path}")
        # Then it is the job that is not found
        assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")
