"""Behaviour that needs a real server: uploads as streams, early answers, broken connections, memory."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from octavia.jobs.tables import queries
from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from octavia.storage import Storage
from tests.integration.api.conftest import Stored
from tests.integration.api.server import RawClient, Server, server_process
from tests.support.ports import free_port
from tests.support.waiting import until

MIB = 1024 * 1024
FORM = "multipart/form-data; boundary=xyz"
DUB = {"type": "dub", "source_language": "en", "target_language": "es"}
FILE_HEAD = b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
END = b"--xyz--\r\n"


def field(name: str, value: str) -> bytes:
    return f'--xyz\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


FIELDS = b"".join(field(name, value) for name, value in DUB.items())


@pytest.fixture
def served(tmp_path: Path, sqlite_url: str) -> Settings:
    return Settings(
        data_dir=tmp_path,
        models_dir=tmp_path / "models",
        database_url=sqlite_url,
        max_upload_bytes=8 * MIB,
        port=free_port(),
    )


@pytest.fixture
def server(served: Settings) -> Iterator[Server]:
    with Server(served) as server:
        yield server


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:
        yield client


def nothing_is_left(http: httpx.Client, stored: Stored) -> None:
    assert http.get("/api/v1/jobs").json()["jobs"] == []
    assert stored.empty


def test_an_upload_arrives_whole(http: httpx.Client, served: Settings) -> None:
    # Given a recording of a few blocks
    data = bytes(range(256)) * 4 * 4096
    # When it is uploaded
    job = http.post("/api/v1/jobs", data=DUB, files={"file": ("a.wav", data)}).json()
    # Then storage has the same
    assert job["input"]["size"] == len(data)
    assert Storage(served.storage).get(f"jobs/{job['id']}/input/a.wav") == data


def test_an_upload_may_come_in_chunks_of_any_size(http: httpx.Client) -> None:
    # Given a form with fields on both sides of the file, cut everywhere
    form = (
        field("type", "dub")
        + FILE_HEAD
        + b"\r\n--xy not yet\r\n" * 100
        + b"\r\n"
        + field("target_language", "es")
        + END
    )
    # When it is sent with no length declared
    answer = http.post(
        "/api/v1/jobs",
        content=(form[start : start + 7] for start in range(0, len(form), 7)),
        headers={"content-type": FORM},
    )
    # Then it is understood
    assert answer.status_code == 202, answer.text
    assert answer.json()["input"]["size"] == len("\r\n--xy not yet\r\n") * 100


def test_a_declared_length_over_the_limit_is_refused_unread(server: Server, http: httpx.Client, stored: Stored) -> None:
    # Given a client that declares 5 GB and has not sent any of it
    with RawClient(server.port) as client:
        client.post(Content_Type=FORM, Content_Length=str(5 * 1024**3), Expect="100-continue")
        # Then it gets its answer, is not asked to go on, and the connection ends
        answer = client.answer()
    assert answer.startswith("HTTP/1.1 413 ")
    assert "upload_too_large" in answer
    assert "100 Continue" not in answer
    assert "connection: close" in answer.lower()
    nothing_is_left(http, stored)


def test_a_client_that_sends_at_once_can_read_the_refusal(http: httpx.Client, stored: Stored) -> None:
    # Given a client that sends while it is refused
    def blocks() -> Iterator[bytes]:
        while True:
            yield b"x" * 65536

    # When it declares 5 GB and begins
    answer = http.post(
        "/api/v1/jobs", content=blocks(), headers={"content-type": FORM, "content-length": str(5 * 1024**3)}
    )
    # Then it learns why it was cut off
    assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_large")
    nothing_is_left(http, stored)


def test_a_stranger_is_refused_unread(served: Settings, stored: Stored) -> None:
    # Given a client without a key that declares 5 GB and has begun to send it
    with Server(served.model_copy(update={"auth": "keys"})) as server, RawClient(server.port) as client:
        client.post(Content_Type=FORM, Content_Length=str(5 * 1024**3))
        client.send(FIELDS + FILE_HEAD + b"x" * 1000)
        # Then it gets its answer, and the connection ends
        answer = client.answer()
    assert answer.startswith("HTTP/1.1 401 ")
    assert "key_required" in answer
    assert stored.empty


def test_an_undeclared_length_over_the_limit_is_cut_off(http: httpx.Client, stored: Stored) -> None:
    # Given a client that sends chunks without end
    sent = 0

    def blocks() -> Iterator[bytes]:
        nonlocal sent
        yield FIELDS + FILE_HEAD
        while sent < 200 * MIB:
            sent += 65536
            yield b"x" * 65536

    # When it passes the limit
    answer = http.post("/api/v1/jobs", content=blocks(), headers={"content-type": FORM})
    # Then it is stopped soon after
    assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_large")
    assert sent < 40 * MIB
    nothing_is_left(http, stored)


def test_a_wrong_field_before_the_file_is_said_before_the_file_is_kept(
    server: Server, http: httpx.Client, stored: Stored
) -> None:
    # Given a client that names a wrong language and then begins its file
    with RawClient(server.port) as client:
        client.post(Content_Type=FORM, Transfer_Encoding="chunked")
        client.send_chunk(field("target_language", "klingonish") + FILE_HEAD + b"x" * 1000)
        # Then it is told, although it has not finished
        answer = client.answer()
    assert answer.startswith("HTTP/1.1 422 ")
    assert "unknown_language" in answer
    nothing_is_left(http, stored)


def test_a_wrong_field_after_the_file_takes_the_file_with_it(http: httpx.Client, stored: Stored) -> None:
    form = FIELDS + FILE_HEAD + b"x" * 3 * MIB + b"\r\n" + field("voice", "nobody") + END
    answer = http.post("/api/v1/jobs", content=form, headers={"content-type": FORM})
    assert (answer.status_code, answer.json()["code"]) == (422, "voice_unavailable")
    nothing_is_left(http, stored)


def test_an_upload_that_breaks_off_leaves_nothing(server: Server, http: httpx.Client, stored: Stored) -> None:
    # Given a client that has sent half of its file, some of which is in storage
    with RawClient(server.port) as client:
        client.post(Content_Type=FORM, Transfer_Encoding="chunked")
        client.send_chunk(FIELDS + FILE_HEAD)
        client.send_chunk(b"x" * 3 * MIB)
        until(lambda: bool(stored.files))
        # When its connection breaks
        client.reset()
    # Then that half goes away
    until(lambda: stored.empty)
    nothing_is_left(http, stored)


def test_a_json_body_over_any_texts_size_is_refused_unread(server: Server) -> None:
    with RawClient(server.port) as client:
        client.post(Content_Type="application/json", Content_Length=str(5 * 1024**3))
        answer = client.answer()
    assert answer.startswith("HTTP/1.1 413 ")
    assert "text_too_long" in answer


def test_a_json_body_without_end_is_cut_off(http: httpx.Client) -> None:
    blocks = (b" " * 65536 for _ in range(1000))
    answer = http.post("/api/v1/jobs", content=blocks, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "text_too_long")


def test_a_connection_is_kept_after_an_ordinary_error(server: Server) -> None:
    # Given a client with one connection
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", limits=httpx.Limits(max_connections=1)) as client:
        ports = []
        for _ in range(3):
            # When it makes mistakes in requests that are read to their end
            answer = client.post("/api/v1/jobs", json={"type": "dub"})
            assert answer.status_code == 422
            stream = answer.extensions["network_stream"]
            ports.append(stream.get_extra_info("client_addr"))
    # Then it keeps its connection
    assert len(set(ports)) == 1


def test_a_slow_upload_and_a_locked_database_block_nobody(server: Server, served: Settings, http: httpx.Client) -> None:
    # Given a client that dawdles, and a database that somebody has locked
    database = Database(served.database)
    with RawClient(server.port) as dawdler, database.transaction() as session, ThreadPoolExecutor(1) as pool:
        session.execute(sa.text("UPDATE jobs SET priority = priority"))
        dawdler.post(Content_Type=FORM, Transfer_Encoding="chunked")
        dawdler.send_chunk(FIELDS + FILE_HEAD)
        posted = pool.submit(http.post, "/api/v1/jobs", data=DUB, files={"file": ("a.wav", b"x")})
        # Then everybody else is answered, while these two are not
        time.sleep(0.3)
        for _ in range(5):
            assert http.get("/healthz").status_code == 200
            assert http.get("/api/v1/jobs").status_code == 200
        assert not posted.done()
        assert not dawdler.answered()
        session.commit()
        assert posted.result(30).status_code == 202
    database.close()


def test_many_may_wait_at_once(server: Server, http: httpx.Client) -> None:
    # Given far more clients that wait for a job than there are threads and database connections
    job = http.post("/api/v1/jobs", data=DUB, files={"file": ("a.wav", b"x")}).json()

    def wait() -> httpx.Response:
        return http.post(f"/api/v1/jobs/{job['id']}/process", headers={"prefer": "wait=120"}, timeout=120)

    channels = server.hub._channels
    with ThreadPoolExecutor(60) as pool:
        waiting = [pool.submit(wait) for _ in range(60)]
        until(lambda: sum(channel.watchers for channel in list(channels.values())) == 60)
        # When somebody else comes, then there is room for them
        assert http.get(f"/api/v1/jobs/{job['id']}").status_code == 200
        assert not any(answer.done() for answer in waiting)
        # And the end reaches all of them
        assert http.post(f"/api/v1/jobs/{job['id']}/cancel").json()["status"] == "canceled"
        assert {answer.result(30).json()["status"] for answer in waiting} == {"canceled"}


def peak_memory(pid: int) -> int:
    """The most that a process ever had resident, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def test_memory_stays_flat_under_a_large_upload(served: Settings) -> None:
    # Given a server that has taken a small upload
    settings = served.model_copy(update={"max_upload_bytes": 300 * MIB})
    with server_process(settings) as process, httpx.Client(base_url=f"http://127.0.0.1:{settings.port}") as client:

        def upload(size: int) -> httpx.Response:
            def blocks() -> Iterator[bytes]:
                yield FIELDS + FILE_HEAD
                for _ in range(size // MIB):
                    yield b"x" * MIB
                yield b"\r\n" + END

            return client.post("/api/v1/jobs", content=blocks(), headers={"content-type": FORM}, timeout=120)

        assert upload(MIB).status_code == 202
        before = peak_memory(process.pid)
        # When it takes one of 200 MB
        answer = upload(200 * MIB)
        assert answer.json()["input"]["size"] == 200 * MIB
        # Then it needed little more for it
        assert peak_memory(process.pid) - before < 30 * MIB


def test_an_accepted_job_survives_the_server(served: Settings) -> None:
    # Given a server that dies the moment it has accepted a job
    with server_process(served) as process:
        answer = httpx.post(
            f"http://127.0.0.1:{served.port}/api/v1/jobs", data=DUB, files={"file": ("a.wav", b"sound")}, timeout=30
        )
        process.kill()
        process.wait()
    assert answer.status_code == 202
    # Then the job and its file are there
    database = Database(served.database)
    job = queries.get(database, UUID(answer.json()["id"]), "local")
    database.close()
    assert Storage(served.storage).get(job.input["key"]) == b"sound"


def test_uploads_at_once_do_not_mix(http: httpx.Client, served: Settings) -> None:
    # Given four recordings
    recordings = [bytes([number]) * 2 * MIB for number in range(4)]
    barrier = threading.Barrier(4)

    def upload(data: bytes) -> str:
        barrier.wait(10)
        url = f"{http.base_url}/api/v1/jobs"
        return str(httpx.post(url, data=DUB, files={"file": ("a.wav", data)}, timeout=60).json()["id"])

    # When they are uploaded at once
    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(upload, recordings))
    # Then each job has its own
    storage = Storage(served.storage)
    assert [storage.get(f"jobs/{job_id}/input/a.wav") for job_id in ids] == recordings
