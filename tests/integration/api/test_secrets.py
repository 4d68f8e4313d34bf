"""Keys, passwords, secrets and the words of users appear in no log, at any level, and in no error."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from octavia.jobs.access import keys
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables.database import Database
from rabbitmq.node import Node
from tests.e2e.service import Service, service
from tests.support import waiting
from tests.support.ports import free_port
from tests.support.postgres import PrivatePostgres

SECRETS = {
    "database password": "db-Pa55-kestrel",
    "broker password": "mq-Pa55-heron",
    "webhook secret of the service": "whsec_" + base64.b64encode(b"service-secret-plover-0123456789").decode(),
    "webhook secret of a job": "whsec_" + base64.b64encode(b"job-secret-lapwing-0123456789abc").decode(),
    "idempotency key": "idem-avocet-4711",
    "signature for a webhook": "sig-curlew-0815",
    "signature for an input": "sig-dunlin-1234",
    "text": "The whimbrel told the godwit a story.",
    "word of the text": "whimbrel",
    "metadata": "turnstone-ledger",
    "content of a file": "sanderling said this",
}
TEXT = {"type": "translate", "source_language": "en", "target_language": "es", "text": SECRETS["text"]}


@pytest.fixture
def broker_url(rabbitmq: Node, management_url: str) -> Iterator[str]:
    """RabbitMQ by way of a user with a password of its own, and another address before it where nobody is."""
    name, password = f"octavia-{uuid4().hex[:8]}", SECRETS["broker password"]
    with httpx.Client(base_url=management_url, auth=("guest", "guest")) as management:
        user = f"/api/users/{name}"
        management.put(user, json={"password": password, "tags": ""}).raise_for_status()
        rights = {"configure": ".*", "write": ".*", "read": ".*"}
        management.put(f"/api/permissions/%2F/{name}", json=rights).raise_for_status()
        address = rabbitmq.url.rpartition("@")[2]
        yield f"amqp://{name}:{password}@127.0.0.1:{free_port()}/;amqp://{name}:{password}@{address}"
        management.delete(user)


@pytest.fixture
def database_name(postgres: PrivatePostgres, postgres_template: str) -> Iterator[str]:
    name = postgres.create(postgres_template)
    yield name
    postgres.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def running(tmp_path: Path, postgres: PrivatePostgres, database_name: str, broker_url: str) -> Iterator[Service]:
    """An API and workers of two queues, which log all they can."""
    url = postgres.url(database_name).replace("postgres@", f"postgres:{SECRETS['database password']}@")
    with service(
        tmp_path,
        OCTAVIA_DATABASE_URL=url,
        OCTAVIA_BROKER_URL=broker_url,
        OCTAVIA_QUEUE_PREFIX=f"test-{uuid4().hex[:12]}",
        OCTAVIA_WEBHOOK_SECRET=SECRETS["webhook secret of the service"],
        OCTAVIA_OUTBOUND_ALLOW="127.0.0.1",
        OCTAVIA_AUTH="keys",
        OCTAVIA_LOG_LEVEL="debug",
        OCTAVIA_LOG_FORMAT="json",
        OCTAVIA_RETRY_DELAYS="[0.1]",
        OCTAVIA_STOP_GRACE_SECONDS="2",
    ) as running:
        running.start("worker", "worker", "--queues", "default,translate", "--slots", "1")
        running.start_api()
        yield running
        # Without their database they would wait for it before they stop.
        for name in list(running.processes):
            running.kill(name)


# Not more often: asking takes the processor that it waits for.
until = partial(waiting.until, every=0.1)


def log(running: Service, name: str) -> str:
    return (running.log_dir / f"{name}.log").read_text(errors="replace")


def test_no_secret_is_in_any_log_or_error(running: Service, postgres: PrivatePostgres, database_name: str) -> None:
    # Given a service with passwords, and a client with a key
    database = Database(postgres.url(database_name))
    _, token = keys.create(database, "ann", owner="ann", scopes=(Scope.READ, Scope.WRITE))
    database.close()
    secrets = SECRETS | {"key": token, "made-up key": "oct_abcdefgh" + "x" * 43}
    http = httpx.Client(base_url=str(running.client.base_url), timeout=30, headers={"authorization": f"Bearer {token}"})
    errors: list[httpx.Response] = []

    def refused(answer: httpx.Response) -> None:
        assert answer.status_code >= 400, answer.text
        errors.append(answer)

    hook = f"http://127.0.0.1:{free_port()}/hook?signature={SECRETS['signature for a webhook']}"
    asked = TEXT | {
        "webhook_url": hook,
        "webhook_secret": SECRETS["webhook secret of a job"],
        "metadata": {"note": SECRETS["metadata"]},
    }
    once = {"idempotency-key": SECRETS["idempotency key"]}
    # When it submits a text whose end nobody wants to hear, a file that is no recording, and an address where none is
    jobs = [http.post("/api/v1/jobs", json=asked, headers=once)]
    garbage = SECRETS["content of a file"].encode() * 100
    jobs.append(
        http.post(
            "/api/v1/jobs",
            data={"type": "transcribe", "source_language": "en"},
            files={"file": ("talk.wav", garbage)},
        )
    )
    source = f"http://127.0.0.1:{free_port()}/talk.wav?signature={SECRETS['signature for an input']}"
    jobs.append(http.post("/api/v1/jobs", json={"type": "transcribe", "source_language": "en", "input_url": source}))
    assert [job.status_code for job in jobs] == [202] * 3, [job.text for job in jobs]
    # And makes every mistake with them
    refused(http.post("/api/v1/jobs", json=TEXT | {"target_language": "fr"}, headers=once))
    refused(http.post("/api/v1/jobs", json=asked | {"webhook_secret": SECRETS["webhook secret of a job"][:-9]}))
    refused(http.post("/api/v1/jobs", json=asked | {"speed": 99}))
    refused(http.post("/api/v1/jobs", json=asked | {"webhook_url": hook.replace("127.0.0.1", "10.0.0.1")}))
    refused(http.post("/api/v1/jobs", content=json.dumps(asked)[:-1], headers={"content-type": "application/json"}))
    refused(http.post("/v1/audio/speech", json={"model": "tts-1", "voice": "nobody", "input": SECRETS["text"]}))
    refused(http.delete(f"/api/v1/keys/{token}"))
    refused(http.get(f"/api/v1/jobs?key={token}"))
    refused(http.get(f"/api/v1/{token}"))
    refused(httpx.get(f"{http.base_url}/api/v1/jobs", headers={"authorization": f"Bearer {secrets['made-up key']}"}))
    refused(httpx.get(f"{http.base_url}/api/v1/jobs", headers={"authorization": token}))
    ids = [job.json()["id"] for job in jobs]
    for job_id, expected in zip(ids, ("completed", "failed", "failed"), strict=True):
        until(lambda job_id=job_id: http.get(f"/api/v1/jobs/{job_id}").json()["status"] in ("completed", "failed"))
        job = http.get(f"/api/v1/jobs/{job_id}")
        assert job.json()["status"] == expected, job.text
        if expected == "failed":
            errors.append(job)
    until(lambda: "webhook_sent" in log(running, "worker"))
    # And its database goes away
    postgres.drop(database_name)
    refused(http.get("/api/v1/jobs"))
    refused(http.get("/readyz"))
    until(lambda: log(running, "worker").count("database_unavailable"))
    doctor = subprocess.run(
        [sys.executable, "-m", "octavia", "doctor", "--json"],
        env=os.environ | running.environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    # Then all of that was logged, and nothing of what is private with it
    lines = [line for name in ("api", "worker") for line in log(running, name).splitlines()]
    assert len(lines) > 100
    assert any('"level": "debug"' in line for line in lines)
    assert any("job_id" in line and ids[1] in line and "not_media" in line for line in lines)
    for what, secret in secrets.items():
        assert [line for line in lines if secret in line] == [], what
        assert secret not in doctor.stdout + doctor.stderr, what
    # And no error quotes what only its sender should know, or not even they
    assert len(errors) >= 15
    for what, secret in secrets.items():
        assert [answer.text for answer in errors if secret in answer.text] == [], what
    http.close()
