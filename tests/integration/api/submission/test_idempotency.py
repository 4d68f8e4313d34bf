"""Requests that are sent again by clients that missed the answer."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from octavia.api.submission.idempotency import Attempt
from octavia.errors import Unavailable
from octavia.jobs.access import idempotency
from octavia.jobs.lifecycle import submit
from octavia.jobs.tables.database import Database, now
from octavia.jobs.tables.rows import IdempotencyKey
from octavia.settings import Settings
from octavia.storage import Storage
from tests.integration.api.conftest import Stored
from tests.integration.api.driving import complete, fail
from tests.integration.api.keyed import Keyed
from tests.integration.api.server import RawClient, Server, server_process
from tests.integration.jobs.steps import Steps
from tests.support.ports import free_port
from tests.support.waiting import until

JOBS = "/api/v1/jobs"
KEY = {"idempotency-key": "f3b1c0de"}
DUB = {"type": "dub", "source_language": "en", "target_language": "es", "metadata": '{"a": 1, "b": 2}'}
FILE = {"file": ("talk.wav", b"RIFF not really", "audio/wav")}
TEXT = {"type": "translate", "text": "Good morning.", "source_language": "en", "target_language": "es"}
FORM = "multipart/form-data; boundary=xyz"
HEAD = b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="talk.wav"\r\n\r\n'
REST = b"\r\n" + b"".join(
    f'--xyz\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() for name, value in DUB.items()
)
END = b"--xyz--\r\n"


def ids(client: TestClient | httpx.Client) -> list[str]:
    return [job["id"] for job in client.get(JOBS).json()["jobs"]]


def replays(answer: httpx.Response, first: httpx.Response) -> None:
    """Check that an answer repeats the first, and says so."""
    assert (answer.status_code, answer.content) == (first.status_code, first.content)
    assert answer.headers["location"] == first.headers["location"]
    assert answer.headers["content-type"] == first.headers["content-type"]
    assert answer.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers


def last_seen(db: Database, seconds: float) -> None:
    """Have whoever serves a key have got on with it so long ago."""
    with db.transaction() as session:
        session.execute(sa.update(IdempotencyKey).values(seen_at=now(session) - timedelta(seconds=seconds)))


def claims(db: Database) -> list[IdempotencyKey]:
    with db.reading() as session:
        return list(session.scalars(sa.select(IdempotencyKey)))


# One after the other


def test_the_same_form_again_gets_the_first_answer_and_makes_nothing(
    client: TestClient, stored: Stored, steps: Steps, storage: Storage
) -> None:
    # Given a submission with a key, whose job has been done meanwhile
    first = client.post(JOBS, data=DUB, files=FILE, headers=KEY)
    assert first.status_code == 202
    complete(steps, storage, UUID(first.json()["id"]))
    files = stored.files
    # When the same is sent again, with another boundary, the fields in another order, and defaults said
    fields = {**dict(reversed(DUB.items())), "metadata": '{"b":2,"a":1}', "priority": "normal", "start": "true"}
    again = client.post(JOBS, data=fields, files=FILE, headers=KEY)
    # Then the answer is the first one, and there is one job and no other file
    replays(again, first)
    assert ids(client) == [first.json()["id"]]
    assert stored.files == files


def test_the_same_text_again_gets_the_first_answer(client: TestClient, stored: Stored) -> None:
    first = client.post(JOBS, json=TEXT, headers=KEY)
    again = client.post(JOBS, json=dict(reversed(TEXT.items())), headers=KEY)
    replays(again, first)
    # A short text is kept with its job, not in a file
    assert (len(ids(client)), stored.files) == (1, [])


@pytest.mark.parametrize(
    ("fields", "file"),
    [
        ({**DUB, "target_language": "fr"}, FILE),
        ({**DUB, "metadata": '{"a": 1}'}, FILE),
        ({**DUB, "priority": "high"}, FILE),
        (DUB, {"file": ("talk.wav", b"RIFF something else", "audio/wav")}),
        (DUB, {"file": ("other.wav", b"RIFF not really", "audio/wav")}),
    ],
)
def test_a_key_is_not_for_another_request(
    client: TestClient, stored: Stored, fields: dict[str, str], file: dict[str, Any]
) -> None:
    first = client.post(JOBS, data=DUB, files=FILE, headers=KEY)
    files = stored.files
    answer = client.post(JOBS, data=fields, files=file, headers=KEY)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert ids(client) == [first.json()["id"]]
    assert stored.files == files


def test_without_a_key_and_with_another_there_are_more_jobs(client: TestClient) -> None:
    for headers in (None, None, KEY, {"idempotency-key": "another"}):
        assert client.post(JOBS, json=TEXT, headers=headers).status_code == 202
    assert len(ids(client)) == 4


@pytest.mark.parametrize("key", ["", "a" * 256, "ä".encode("latin-1"), b"a\tb"])
def test_an_invalid_idempotency_key_is_refused_before_anything_is_stored(
    client: TestClient, stored: Stored, key: str | bytes
) -> None:
    answer = client.post(JOBS, data=DUB, files=FILE, headers={"idempotency-key": key})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_idempotency_key")
    assert stored.empty


def test_two_idempotency_keys_are_refused(client: TestClient) -> None:
    answer = client.post(JOBS, json=TEXT, headers=[("idempotency-key", "a"), ("idempotency-key", "b")])
    assert answer.json()["code"] == "invalid_idempotency_key"


def test_the_longest_idempotency_key_is_accepted(client: TestClient) -> None:
    key = {"idempotency-key": "".join(chr(code) for code in range(33, 127)) + "x" * 161}
    first = client.post(JOBS, json=TEXT, headers=key)
    replays(client.post(JOBS, json=TEXT, headers=key), first)


def test_a_request_that_failed_frees_its_key(
    client: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise Unavailable("The database is away.", code="database_unavailable")

    # When requests are refused, early and late, or break down
    assert client.post(JOBS, content=b"?", headers=KEY).status_code == 415
    assert client.post(JOBS, data={**DUB, "type": "sing"}, files=FILE, headers=KEY).status_code == 422
    assert client.post(JOBS, json={**TEXT, "source_language": "auto"}, headers=KEY).status_code == 422
    with monkeypatch.context() as patch:
        patch.setattr(submit, "create", broken)
        assert client.post(JOBS, data=DUB, files=FILE, headers=KEY).status_code == 503
    # Then the key is free, and a good one is served
    assert claims(database) == []
    assert client.post(JOBS, json=TEXT, headers=KEY).status_code == 202


def test_owners_do_not_share_idempotency_keys(keyed: Keyed) -> None:
    # Given two owners who happened to choose the same key
    ann, bob = keyed.client("ann"), keyed.client("bob")
    first, other = ann.post(JOBS, json=TEXT, headers=KEY), bob.post(JOBS, json=TEXT, headers=KEY)
    # Then each has a job of their own
    assert "idempotency-replayed" not in other.headers
    assert ids(ann) == [first.json()["id"]]
    assert ids(bob) == [other.json()["id"]]


def test_a_replay_may_wait_for_the_job(client: TestClient, steps: Steps, storage: Storage) -> None:
    first = client.post(JOBS, json=TEXT, headers=KEY)
    complete(steps, storage, UUID(first.json()["id"]))
    again = client.post(JOBS, json=TEXT, headers={**KEY, "prefer": "wait=60"})
    assert (again.status_code, again.json()["status"]) == (200, "completed")
    assert again.headers["preference-applied"] == "wait=60"
    assert again.headers["idempotency-replayed"] == "true"


def test_a_retry_with_a_key_makes_one_run(client: TestClient, steps: Steps) -> None:
    # Given a failed job
    job = client.post(JOBS, json=TEXT).json()
    fail(steps)
    # When it is retried twice with the same key, then it runs once more
    first = client.post(f"{JOBS}/{job['id']}/retry", headers=KEY)
    assert (first.status_code, first.json()["run"]) == (202, 2)
    replays(client.post(f"{JOBS}/{job['id']}/retry", headers=KEY), first)
    # and from elsewhere is another request
    answer = client.post(f"{JOBS}/{job['id']}/retry?from=translate", headers=KEY)
    assert answer.json()["code"] == "idempotency_key_reused"
    # and without the key it is refused, as it is under way
    assert client.post(f"{JOBS}/{job['id']}/retry").status_code == 409


# At the same time


@pytest.fixture
def served(tmp_path: Path, database_url: str) -> Settings:
    return Settings(data_dir=tmp_path, models_dir=tmp_path / "models", database_url=database_url, port=free_port())


@pytest.fixture
def server(served: Settings) -> Iterator[Server]:
    with Server(served) as server:
        yield server


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:
        yield client


@pytest.fixture
def db(served: Settings) -> Iterator[Database]:
    database = Database(served.database)
    yield database
    database.close()


def begin(client: RawClient, db: Database, stored: Stored) -> None:
    """Send half of an upload, and see that it is being stored."""
    key = KEY["idempotency-key"]
    client.post(Content_Type=FORM, Transfer_Encoding="chunked", Connection="close", Idempotency_Key=key)
    client.send_chunk(HEAD + b"x" * 200_000)
    until(lambda: len(claims(db)) == 1 and len(stored.files) == 1)


def go_on(client: RawClient) -> None:
    client.send_chunk(b"y" * 1000 + REST)
    client.send_chunk(END)
    client.send(b"0\r\n\r\n")


def whole(http: httpx.Client) -> httpx.Response:
    """Send the whole upload of ``begin`` at once."""
    return http.post(
        JOBS, content=HEAD + b"x" * 200_000 + b"y" * 1000 + REST + END, headers={**KEY, "content-type": FORM}
    )


def body_of(answer: str) -> str:
    return answer.partition("\r\n\r\n")[2]


def test_first_outcome_waits_for_the_first_request_and_stores_nothing(
    server: Server, http: httpx.Client, db: Database, stored: Stored
) -> None:
    with RawClient(server.port) as first, ThreadPoolExecutor() as pool:
        # Given an upload in the middle, and the same sent whole meanwhile
        begin(first, db, stored)
        twin = pool.submit(whole, http)
        # When the first comes to its end
        with pytest.raises(TimeoutError):
            twin.result(0.5)
        assert len(stored.files) == 1
        go_on(first)
        answer = first.answer()
    # Then both have the same answer, and there is one job and one file
    assert answer.startswith("HTTP/1.1 202")
    assert twin.result(30).headers["idempotency-replayed"] == "true"
    assert twin.result(30).text == body_of(answer)
    assert len(ids(http)) == len(stored.files) == 1


def test_first_outcome_gives_up_after_wait_seconds(
    server: Server, http: httpx.Client, db: Database, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Attempt, "wait_seconds", 0.2)
    with RawClient(server.port) as first:
        begin(first, db, stored)
        answer = whole(http)
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_in_progress")
        assert 50 <= int(answer.headers["retry-after"]) <= 60
        assert len(stored.files) == 1
        # When the first breaks off, then nothing is left of it, and the key is free
        first.reset()
    until(lambda: claims(db) == [] and stored.files == [])
    assert "idempotency-replayed" not in whole(http).headers


def test_first_outcome_of_a_failed_request_asks_to_retry(
    server: Server, http: httpx.Client, db: Database, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, look = threading.Event(), idempotency.get

    def noting(db: Database, slot: idempotency.Slot) -> object:
        looked.set()
        return look(db, slot)

    monkeypatch.setattr(idempotency, "get", noting)
    with RawClient(server.port) as first, ThreadPoolExecutor() as pool:
        # Given an upload in the middle, and the same, which already waits for what comes of it
        begin(first, db, stored)
        twin = pool.submit(whole, http)
        assert looked.wait(60)
        assert not twin.done()
        # When the first breaks off, then the twin is not served in its place
        first.reset()
    answer = twin.result(30)
    assert (answer.status_code, answer.headers["retry-after"]) == (409, "1")
    assert whole(http).status_code == 202


def test_an_upload_renews_its_claim_while_bytes_arrive(
    server: Server, db: Database, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawClient(server.port) as first:
        begin(first, db, stored)
        last_seen(db, 50)
        before = claims(db)[0].seen_at
        # Only now: what was sent before may not have been read to its end
        monkeypatch.setattr(Attempt, "renew_seconds", 0.0)
        first.send_chunk(b"y")
        until(lambda: claims(db)[0].seen_at - before > timedelta(seconds=45))


def test_an_overtaken_request_gets_the_answer_of_its_successor(
    server: Server, http: httpx.Client, db: Database, stored: Stored
) -> None:
    with RawClient(server.port) as late:
        # Given an upload that nothing was heard of for a minute, so that the same was served meanwhile
        begin(late, db, stored)
        last_seen(db, 61)
        taker = whole(http)
        assert taker.status_code == 202
        assert "idempotency-replayed" not in taker.headers
        # When it comes to its end after all
        go_on(late)
        answer = late.answer()
    # Then it made nothing, and has the same answer
    assert answer.startswith("HTTP/1.1 202")
    assert "idempotency-replayed: true" in answer
    assert body_of(answer) == taker.text
    assert ids(http) == [taker.json()["id"]]
    assert stored.files == [f"jobs/{taker.json()['id']}/input/talk.wav"]


def until_served(send: Callable[[], httpx.Response]) -> httpx.Response:
    """Send again as long as the answer says so."""
    answers: list[httpx.Response] = []

    def served() -> bool:
        answers.append(send())
        return answers[-1].status_code != 409

    until(served, 30)
    assert {answer.json()["code"] for answer in answers[:-1]} == {"idempotency_in_progress"}
    return answers[-1]


def test_fifty_requests_with_one_key_over_two_processes_make_one_job(tmp_path: Path, postgres_url: str) -> None:
    # Given two API processes over one database and one folder
    settings = Settings(data_dir=tmp_path, models_dir=tmp_path / "models", database_url=postgres_url)
    one, two = (settings.model_copy(update={"port": free_port()}) for _ in range(2))

    async def post(client: httpx.AsyncClient, port: int) -> httpx.Response:
        url = f"http://127.0.0.1:{port}{JOBS}"
        return await client.post(url, data=DUB, files={"file": ("talk.wav", b"x" * 100_000)}, headers=KEY)

    async def post_all() -> list[httpx.Response]:
        async with httpx.AsyncClient(timeout=60) as client:
            return await asyncio.gather(*(post(client, (one, two)[number % 2].port) for number in range(50)))

    with server_process(one), server_process(two):
        # When fifty clients send the same at once
        answers = asyncio.run(post_all())
        # Then there are fifty equal answers, one of them the first
        assert {answer.status_code for answer in answers} == {202}, [answer.text for answer in answers]
        assert len({answer.content for answer in answers}) == 1
        assert len({answer.headers["location"] for answer in answers}) == 1
        assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
        # and one job, with one file
        listed = httpx.get(f"http://127.0.0.1:{one.port}{JOBS}").json()["jobs"]
    assert [job["id"] for job in listed] == [answers[0].json()["id"]]
    assert Stored(tmp_path / "storage").files == [f"jobs/{listed[0]['id']}/input/talk.wav"]


def test_an_api_that_crashes_in_the_middle_of_an_upload(tmp_path: Path, postgres_url: str, stored: Stored) -> None:
    served = Settings(data_dir=tmp_path, models_dir=tmp_path / "models", database_url=postgres_url, port=free_port())
    db = Database(postgres_url)
    # Given an API process that is killed in the middle of an upload
    with server_process(served) as process:
        with RawClient(served.port) as client:
            begin(client, db, stored)
            process.kill()
            process.wait()
        rest = stored.files
    # When the client sends it to the next one, then that first has to be sure that the other is dead
    with server_process(served), httpx.Client(base_url=f"http://127.0.0.1:{served.port}", timeout=60) as http:
        last_seen(db, 54)  # so that the first of these is there before that, though the machine stalls
        assert until_served(lambda: whole(http)).status_code == 202
        # and there is one job, with one file beside what the dead one left, which is swept
        (job,) = ids(http)
    assert stored.files == sorted([*rest, f"jobs/{job}/input/talk.wav"])
    db.close()
