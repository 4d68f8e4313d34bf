"""An upload that is refused, whenever that is, leaves no file, no job and no claim on its key, and at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel

from octavia.jobs.access import keys
from octavia.jobs.access.keys import Limits, Scope
from octavia.jobs.lifecycle import submit
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.rows import IdempotencyKey, Job
from octavia.jobs.tables.states import JobType
from octavia.settings import Settings
from tests.integration.api.conftest import Stored
from tests.integration.api.keyed import Keyed
from tests.integration.api.server import RawClient, Server
from tests.integration.jobs.steps import MEDIA
from tests.support.waiting import until

JOBS = "/api/v1/jobs"
FORM = "multipart/form-data; boundary=xyz"
LIMIT = 1024 * 1024
QUEUE = 6
BLOCK = b"x" * 256 * 1024
TYPE = b'--xyz\r\nContent-Disposition: form-data; name="type"\r\n\r\ntranscribe\r\n'
FILE = b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
END = b"\r\n--xyz--\r\n"


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str) -> Settings:
    return Settings(
        data_dir=tmp_path,
        models_dir=tmp_path / "models",
        database_url=sqlite_url,
        auth="keys",
        max_upload_bytes=LIMIT,
        max_queued_jobs=QUEUE,
    )


@pytest.fixture
def db(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database)
    yield database
    database.close()


@pytest.fixture
def key(db: Database) -> tuple[UUID, str]:
    record, token = keys.create(db, "ann", scopes=[Scope.WRITE], limits=Limits(jobs_in_flight=2))
    return record.id, f"Bearer {token}"


def count(db: Database, table: type[SQLModel]) -> int:
    with db.reading() as session:
        return session.scalars(sa.select(sa.func.count()).select_from(table)).one()


def begin(client: RawClient, token: str, stored: Stored) -> None:
    """Send the half of a file, and see that it is being stored."""
    client.post(Content_Type=FORM, Transfer_Encoding="chunked", Authorization=token, Idempotency_Key="k")
    client.send_chunk(TYPE + FILE + BLOCK)
    until(lambda: stored.files)


def end(client: RawClient) -> None:
    client.send_chunk(END)
    client.send_chunk(b"")


def without_end(client: RawClient) -> None:
    client.send_chunk(b"")


def too_large(client: RawClient) -> None:
    with suppress(OSError):
        for _ in range(4):
            client.send_chunk(BLOCK)


def with_more_bytes(client: RawClient) -> None:
    client.send_chunk(END + b"GET /healthz HTTP/1.1\r\n\r\n")
    client.send_chunk(b"")


def with_another_file(client: RawClient) -> None:
    client.send_chunk(b"\r\n" + FILE + BLOCK)


def with_a_wrong_field(client: RawClient) -> None:
    client.send_chunk(b'\r\n--xyz\r\nContent-Disposition: form-data; name="colour"\r\n\r\nred')
    end(client)


def with_a_wrong_value(client: RawClient) -> None:
    client.send_chunk(b'\r\n--xyz\r\nContent-Disposition: form-data; name="speed"\r\n\r\nred')
    end(client)


def as_another_type(client: RawClient) -> None:
    client.send_chunk(b'\r\n--xyz\r\nContent-Disposition: form-data; name="voice"\r\n\r\njoe')
    end(client)


@pytest.mark.parametrize(
    ("go_on", "status", "code"),
    [
        (too_large, 413, "upload_too_large"),
        (without_end, 400, "bad_multipart"),
        (with_more_bytes, 400, "bad_multipart"),
        (with_another_file, 400, "several_files"),
        (with_a_wrong_field, 400, "unknown_field"),
        (with_a_wrong_value, 422, "invalid_field"),
        (as_another_type, 422, "not_applicable"),
    ],
)
def test_a_form_that_turns_out_wrong_leaves_nothing(
    server: Server,
    db: Database,
    key: tuple[UUID, str],
    stored: Stored,
    go_on: Callable[[RawClient], None],
    status: int,
    code: str,
) -> None:
    # Given an upload of which a part is stored
    with RawClient(server.port) as client:
        begin(client, key[1], stored)
        # When it goes on wrong
        go_on(client)
        answer = client.response()
    # Then it is refused, and by then nothing of it is left
    assert answer.startswith(f"HTTP/1.1 {status} "), answer
    assert f'"{code}"' in answer
    assert stored.empty
    assert (count(db, Job), count(db, IdempotencyKey)) == (0, 0)


def test_a_client_that_leaves_in_the_middle_leaves_nothing(
    server: Server, db: Database, key: tuple[UUID, str], stored: Stored
) -> None:
    with RawClient(server.port) as client:
        begin(client, key[1], stored)
        # When the client is gone in the middle of its file, then so is what has come of it
        client.reset()
    until(lambda: stored.empty and count(db, IdempotencyKey) == 0, 10)
    assert count(db, Job) == 0


@pytest.mark.parametrize(("of_key", "status", "code"), [(True, 429, "too_many_jobs"), (False, 503, "queue_full")])
def test_an_upload_for_which_there_is_no_place_in_the_end_leaves_nothing(
    server: Server, db: Database, key: tuple[UUID, str], stored: Stored, of_key: bool, status: int, code: str
) -> None:
    with RawClient(server.port) as client:
        # Given an upload that began when there was a place
        begin(client, key[1], stored)
        # When there is none any more at its end, because another process has made jobs
        for _ in range(2 if of_key else QUEUE):
            submit.create(db, NewJob(JobType.DUB, "en", "es", input=dict(MEDIA), key_id=key[0] if of_key else None))
        jobs = count(db, Job)
        if not of_key:
            until(lambda: "queue_full" in httpx.get(f"http://127.0.0.1:{server.port}/readyz", timeout=30).text)
        end(client)
        answer = client.response()
    # Then it is told so, and nothing of it is left
    assert answer.startswith(f"HTTP/1.1 {status} "), answer
    assert f'"{code}"' in answer
    assert "retry-after: " in answer
    assert stored.empty
    assert (count(db, Job), count(db, IdempotencyKey)) == (jobs, 0)


def test_an_upload_counts_as_a_job_in_flight_while_it_arrives(
    server: Server, key: tuple[UUID, str], stored: Stored
) -> None:
    with RawClient(server.port) as one, RawClient(server.port) as two, RawClient(server.port) as three:
        # Given a key that may have two jobs in flight, and has as many uploads under way
        for client in (one, two):
            client.post(Content_Type=FORM, Transfer_Encoding="chunked", Authorization=key[1])
            client.send_chunk(TYPE + FILE + BLOCK)
        until(lambda: len(stored.files) == 2)
        # When it begins a third one, then that is refused before any of it has come
        three.post(Content_Type=FORM, Content_Length="1000", Authorization=key[1], Expect="100-continue")
        assert three.response().startswith("HTTP/1.1 429 ")
        # And the two are accepted
        for client in (one, two):
            end(client)
            assert client.response().startswith("HTTP/1.1 202 ")
    # And one that breaks off makes a place
    assert len(stored.files) == 2


def test_a_hundred_uploads_of_one_key_at_once_leave_as_many_files_as_it_may_have_jobs(
    keyed: Keyed, stored: Stored
) -> None:
    # Given a key that may have 5 jobs in flight
    client = keyed.client(limits=Limits(jobs_in_flight=5, requests_per_minute=0))
    # When it sends the same upload a hundred times at once
    with ThreadPoolExecutor(100) as pool:
        answers = list(
            pool.map(
                lambda _: client.post(JOBS, data={"type": "transcribe"}, files={"file": ("a.wav", BLOCK)}), range(100)
            )
        )
    # Then exactly 5 are accepted, and of the others nothing is there
    assert sorted(answer.status_code for answer in answers) == [202] * 5 + [429] * 95
    assert count(keyed.database, Job) == len(stored.files) == 5


@pytest.mark.parametrize(("declared", "status"), [(-300, "400"), (300, None)], ids=["shorter", "longer"])
def test_a_length_that_is_not_true_makes_no_job(
    server: Server, db: Database, key: tuple[UUID, str], stored: Stored, declared: int, status: str | None
) -> None:
    form = TYPE + FILE + BLOCK + END
    with RawClient(server.port) as client:
        # When a form is shorter or longer than its client says
        client.post(Content_Type=FORM, Content_Length=str(len(form) + declared), Authorization=key[1])
        client.send(form)
        if status is not None:
            # Then it ends too early, and what is left is no request
            assert client.response().split(" ")[1] == status
        else:
            until(lambda: stored.files)
    # Or its client leaves before it ends
    until(lambda: stored.empty, 10)
    assert count(db, Job) == 0
