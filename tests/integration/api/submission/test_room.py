"""Limits of keys, of clients and of all together, and how they are told."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from octavia.jobs.access import keys
from octavia.jobs.access.keys import Limits, Scope
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.rows import RateLimit
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.web import create_app
from tests.integration.api.conftest import Stored
from tests.integration.api.keyed import Keyed
from tests.integration.api.server import server_process
from tests.integration.jobs.steps import Steps
from tests.support.ports import free_port
from tests.support.waiting import until

JOBS = "/api/v1/jobs"
TEXT = {"type": "translate", "text": "Good morning.", "source_language": "en", "target_language": "es"}
DUB = {"type": "dub", "source_language": "en", "target_language": "es"}
FILE = {"file": ("talk.wav", b"RIFF not really", "audio/wav")}
HEADERS = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")


def rate(answer: httpx.Response) -> tuple[int, ...]:
    return tuple(int(answer.headers[name]) for name in HEADERS)


def test_rate_limit_headers_are_in_every_answer_to_a_key(keyed: Keyed) -> None:
    client = keyed.client(limits=Limits(requests_per_minute=4))
    # When a key is used, for whatever, then what it has left is said
    assert rate(client.get(JOBS)) == (4, 3, 15)
    answer = client.get("/api/v1/no-such-thing")
    assert answer.status_code == 404
    assert rate(answer)[:2] == (4, 2)
    assert 15 < rate(answer)[2] <= 30
    # But not where no key is asked for
    assert HEADERS[0] not in client.get("/healthz").headers


def test_too_many_requests_are_refused_until_there_is_room(keyed: Keyed) -> None:
    client = keyed.client(limits=Limits(requests_per_minute=2))
    client.get(JOBS)
    client.get(JOBS)
    # When a key has used up its minute, then it is told for how long to wait
    answer = client.get(JOBS)
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert answer.headers["content-type"] == "application/problem+json"
    assert 20 <= int(answer.headers["retry-after"]) <= 30
    assert rate(answer)[:2] == (2, 0)
    # And health is answered all the same, and other keys are
    assert client.get("/healthz").status_code == 200
    assert keyed.client().get(JOBS).status_code == 200
    # And after that time there is room
    with keyed.database.transaction() as session:
        bucket = session.scalars(sa.select(RateLimit).order_by(RateLimit.full_at.desc()).limit(1)).one()
        bucket.full_at -= timedelta(seconds=30)
    assert rate(client.get(JOBS))[:2] == (2, 0)


def test_a_refused_upload_is_not_taken(keyed: Keyed, stored: Stored) -> None:
    client = keyed.client(limits=Limits(requests_per_minute=1))
    assert client.get(JOBS).status_code == 200
    assert client.post(JOBS, data=DUB, files=FILE).json()["code"] == "rate_limited"
    assert stored.empty


def test_a_key_without_a_limit_gets_no_rate_limit_headers(keyed: Keyed) -> None:
    client = keyed.client(limits=Limits(requests_per_minute=0))
    answers = [client.get(JOBS) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    assert HEADERS[0] not in answers[0].headers


def test_a_key_has_only_so_many_jobs_in_flight(keyed: Keyed, stored: Stored) -> None:
    client = keyed.client(limits=Limits(jobs_in_flight=2))
    # Given a key that has as many jobs in flight as it may
    jobs = [client.post(JOBS, json=TEXT), client.post(JOBS, data=DUB, files=FILE)]
    assert [job.status_code for job in jobs] == [202, 202]
    before = stored.files
    # When it submits another, of either kind, then that is refused, and nothing of it is stored
    for answer in (client.post(JOBS, json=TEXT), client.post(JOBS, data=DUB, files=FILE)):
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_jobs")
        assert int(answer.headers["retry-after"]) > 0
    assert stored.files == before
    # And others may go on, also those of the same owner
    assert keyed.client().post(JOBS, json=TEXT).status_code == 202
    # And so may this one, once a job of it has ended
    client.post(f"{jobs[0].headers['location']}/cancel")
    assert client.post(JOBS, json=TEXT).status_code == 202


def test_fifty_submissions_at_once_do_not_exceed_it(keyed: Keyed) -> None:
    # Given a key that may have 7 jobs in flight
    client = keyed.client(limits=Limits(jobs_in_flight=7, requests_per_minute=0))
    # When 50 are submitted at once
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: client.post(JOBS, json=TEXT), range(50)))
    # Then 7 are taken, and not one more
    assert sorted(answer.status_code for answer in answers) == [202] * 7 + [429] * 43
    assert len(client.get(JOBS).json()["jobs"]) == 7


def test_a_full_queue_takes_no_more(settings: Settings, database: Database, storage: Storage, stored: Stored) -> None:
    # Given a deployment in which two jobs may wait, and do
    steps = Steps(database)
    steps.submit()
    steps.submit()
    app = create_app(settings.model_copy(update={"max_queued_jobs": 2}), database=database, storage=storage)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        # When another comes, then it is asked to come back, and nothing of it is stored
        answer = client.post(JOBS, data=DUB, files=FILE)
        assert (answer.status_code, answer.json()["code"]) == (503, "queue_full")
        assert int(answer.headers["retry-after"]) > 0
        assert stored.empty
        # And one that was only uploaded is not started either
        held = steps.submit(start=False)
        answer = client.post(f"{JOBS}/{held.id}/process")
        assert (answer.status_code, answer.json()["code"]) == (503, "queue_full")
        assert client.get(f"{JOBS}/{held.id}/status").json()["status"] == "pending"
        # And all else goes on
        assert client.get("/api/v1/languages").status_code == 200
        # And soon after the queue has emptied, there is room again
        steps.run_out()
        until(lambda: client.post(JOBS, json=TEXT).status_code != 503, 10, every=0.1)


@pytest.fixture
def two_servers(tmp_path: Path, postgres_url: str) -> Iterator[tuple[Settings, Settings]]:
    """Two API processes over one database."""
    first = Settings(
        data_dir=tmp_path, models_dir=tmp_path / "models", database_url=postgres_url, auth="keys", port=free_port()
    )
    second = first.model_copy(update={"port": free_port()})
    with server_process(first), server_process(second):
        yield first, second


def test_limits_hold_over_two_api_processes(two_servers: tuple[Settings, Settings]) -> None:
    # Given a key that may have 2 jobs in flight, one that may send 2 requests a minute, and two processes that serve
    # them
    database = Database(two_servers[0].database)
    scopes = [Scope.READ, Scope.WRITE]
    _, busy = keys.create(database, "ann", scopes=scopes, limits=Limits(requests_per_minute=0, jobs_in_flight=2))
    key, slow = keys.create(database, "bob", scopes=scopes, limits=Limits(requests_per_minute=2))
    urls = [f"http://127.0.0.1:{settings.port}{JOBS}" for settings in two_servers]

    with httpx.Client(timeout=60) as client:

        def submit(number: int) -> httpx.Response:
            return client.post(urls[number % 2], json=TEXT, headers={"authorization": f"Bearer {busy}"})

        def look(number: int) -> httpx.Response:
            return client.get(urls[number % 2], headers={"authorization": f"Bearer {slow}"})

        # When 24 submissions come to both at once, then 2 are taken
        with ThreadPoolExecutor(24) as pool:
            answers = list(pool.map(submit, range(24)))
        assert sorted(answer.status_code for answer in answers) == [202] * 2 + [429] * 22
        assert {answer.json()["code"] for answer in answers if answer.status_code == 429} == {"too_many_jobs"}
        # When 24 look at their jobs, then 2 are let in; the next one would be after half a minute
        with ThreadPoolExecutor(24) as pool:
            answers = list(pool.map(look, range(24)))
        assert sorted(answer.status_code for answer in answers) == [200] * 2 + [429] * 22
        assert {answer.json()["code"] for answer in answers if answer.status_code == 429} == {"rate_limited"}
        # And a revoked key is out of both at once
        keys.revoke(database, key.prefix)
        assert {look(number).json()["code"] for number in range(2)} == {"key_revoked"}
    database.close()
