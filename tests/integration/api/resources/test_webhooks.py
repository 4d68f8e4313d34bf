"""Webhooks as clients of the API see them: asked for with a job, listed, and delivered again."""

import base64
from typing import Any
from uuid import UUID, uuid4

import pytest
from starlette.testclient import TestClient

from octavia.jobs.access import webhooks
from octavia.jobs.access.webhooks import Outcome, Verdict
from octavia.jobs.protocol import cancel
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.rows import Job
from octavia.jobs.tables.states import DeliveryStatus
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.web import create_app
from tests.integration.api.conftest import Stored

JOBS = "/api/v1/jobs"
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
        ({"webhook_url": ""}, "webhook_url", "url_not_allowed"),
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
    # When it ends and a courier was refused
    cancel.cancel(database, UUID(job["id"]), "local")
    (leased,) = webhooks.lease(database, limit=1, seconds=30)
    webhooks.record(database, leased, Outcome(Verdict.REFUSED, 400, "The receiver answered 400."))
    # Then that is listed, without what the address holds in its query
    (delivery,) = client.get(url).json()["webhooks"]
    assert delivery["url"] == "https://example.com/hook?…"
    assert (delivery["type"], delivery["status"], delivery["attempts"]) == ("job.canceled", "failed", 1)
    assert (delivery["response_status"], delivery["error"]) == (400, "The receiver answered 400.")
    assert delivery["next_attempt_at"] is None
    # When it is asked for again, by its id or by the one that the receiver saw
    for id in (delivery["id"], f"msg_{delivery['id']}"):
        answer = client.post(f"{url}/{id}/redeliver")
        # Then it is due, under its id
        assert (answer.status_code, answer.json()["id"], answer.json()["status"]) == (202, delivery["id"], "pending")
    (again,) = webhooks.lease(database, limit=1, seconds=30)
    assert again.id == leased.id
    assert webhooks.record(database, again, Outcome(Verdict.DELIVERED, 200)) is DeliveryStatus.DELIVERED


@pytest.mark.parametrize("delivery_id", ["nonsense", str(UUID(int=7)), f"msg_{UUID(int=7)}"])
def test_redelivering_an_unknown_delivery_is_not_found(client: TestClient, delivery_id: str) -> None:
    # Given a job without such a delivery
    job = submitted(client)
    # When it is asked for
    answer = client.post(f"{JOBS}/{job['id']}/webhooks/{delivery_id}/redeliver")
    # Then it is not found
    assert (answer.status_code, answer.json()["code"]) == (404, "delivery_not_found")


def test_webhooks_of_an_unknown_job_are_not_found(client: TestClient) -> None:
    # Given no such job
    for method, path in (("GET", "webhooks"), ("POST", f"webhooks/{uuid4()}/redeliver")):
        # When its webhooks are asked for
        answer = client.request(method, f"{JOBS}/{uuid4()}/{path}")
        # Then it is the job that is not found
        assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")
