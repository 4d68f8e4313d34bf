"""A recording that was given by its address comes into storage once, whatever its server does."""

import hashlib
import random
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from octavia.actors import fetch
from octavia.actors.fetch import recording
from octavia.errors import Canceled, LeaseLost, OctaviaError, Stopping, TimeLimitExceeded
from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol import claims
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import Disposition, Failure, NewJob
from octavia.jobs.tables.states import JobType, Stage
from octavia.outbound.download import Bounds
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.work import Work
from tests.integration.jobs.steps import Steps
from tests.support.files import FileServer

CONTENT = random.Random(2).randbytes(200_000)
SETTINGS = Settings(outbound_allow="127.0.0.1")


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer(CONTENT) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "Bounds", partial(Bounds, first_pause=0.01))


@pytest.fixture
def db(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.close()


def begun(db: Database, folder: Path, server: FileServer, settings: Settings = SETTINGS) -> Work:
    """The first task of a job whose recording is on a server."""
    given = {"kind": "url", "url": server.url, "filename": "the talk.flac", "media_type": "application/octet-stream"}
    submit.create(db, NewJob(JobType.TRANSCRIBE, "en", input=given | {"size": None, "sha256": None}))
    (ref,) = Steps(db).deliver()
    return Work(db, Steps(db).claim(ref), Storage(f"file://{folder}"), settings)


def again(work: Work, db: Database, folder: Path) -> Work:
    """The next attempt at the same task."""
    steps = Steps(db)
    assert steps.fail(work.claim, Failure("flaky", "It went wrong.", "", True)) is Disposition.RETRYING
    return Work(db, steps.claim(work.claim.ref), Storage(f"file://{folder}"), work.settings)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def fails(work: Work) -> OctaviaError:
    with pytest.raises(OctaviaError) as caught:
        recording(work)
    return caught.value


def test_a_recording_is_stored_and_written_down(database: Database, folder: Path, server: FileServer) -> None:
    # Given a recording on a server, which says what it is, and a connection that breaks
    server.headers = {"Content-Type": "audio/flac; x=y", "Content-Disposition": 'attachment; filename="Talk.flac"'}
    server.cuts = [50_000]
    work = begun(database, folder, server)
    # When it is fetched
    key = recording(work)
    # Then it is in storage, whole
    assert work.storage.get(key) == CONTENT
    assert [asked for asked, _ in server.asked] == [None, "bytes=50000-"]
    # And the job says what it is, and no longer where it was
    job = Steps(database).job(work.job.id)
    assert job.input == {
        "kind": "url",
        "key": key,
        "filename": "Talk.flac",
        "media_type": "audio/flac",
        "size": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
    }


def test_a_recording_leaves_the_room_that_is_kept_for_results(
    db: Database, folder: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a disk that has no room for the second half of a recording
    monkeypatch.setattr(Storage, "free", lambda storage: 150_000 - sum(path.stat().st_size for path in files(folder)))
    work = begun(db, folder, server, SETTINGS.model_copy(update={"min_free_bytes": 50_000}))
    # When it is fetched, then that fails, for another attempt to find more room, and nothing is left of it
    error = fails(work)
    assert (error.code, error.retryable) == ("storage_full", True)
    assert files(folder) == []
    # And a result is stored all the same
    work.save("result.json", b"x" * 149_000, "application/json")
    # And where there is no room at all, nobody is asked for anything
    asked = len(server.asked)
    assert fails(again(work, db, folder)).code == "storage_full"
    assert len(server.asked) == asked


def test_a_recording_that_came_too_late_is_not_kept(db: Database, folder: Path, server: FileServer) -> None:
    # Given a worker whose task has gone to another one meanwhile
    late = begun(db, folder, server)
    again(late, db, folder)
    # When it has fetched the recording, then it drops it
    assert isinstance(fails(late), LeaseLost)
    assert files(folder) == []


def test_a_recording_is_fetched_once(database: Database, folder: Path, server: FileServer) -> None:
    # Given a recording that an attempt has fetched before it failed
    first = begun(database, folder, server)
    key = recording(first)
    # When another attempt needs it
    second = again(first, database, folder)
    # Then it is there, and the server was asked once
    assert recording(second) == key
    assert len(server.asked) == 1
    # When another run needs it, Then too
    steps = Steps(database)
    steps.complete(second.claim)
    steps.run_out()
    submit.retry(database, first.job.id, "local", from_stage=Stage.PREPARE)
    (ref,) = steps.deliver()
    assert recording(Work(database, steps.claim(ref), first.storage, SETTINGS)) == key
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("statuses", "code", "retryable"),
    [
        ([404], "input_not_found", False),
        ([410], "input_not_found", False),
        ([403], "input_not_found", False),
        ([302], "url_not_allowed", False),
        ([500], "input_unreachable", True),
        ([429], "input_unreachable", True),
    ],
)
def test_the_servers_answer_decides_on_another_try(
    db: Database, folder: Path, server: FileServer, statuses: list[int], code: str, retryable: bool
) -> None:
    # Given a server that does not send the file
    server.statuses = statuses
    # When it is fetched
    error = fails(begun(db, folder, server))
    # Then the error says so, names no more of the address than is safe, and leaves nothing behind
    assert (error.code, error.retryable) == (code, retryable)
    assert "signature" not in error.message + error.hint
    assert files(folder) == []


@pytest.mark.parametrize("length", [True, False])
def test_a_recording_that_is_too_large_is_refused(db: Database, folder: Path, server: FileServer, length: bool) -> None:
    # Given a file that is larger than uploads may be, whether its server says so or not
    server.length = length
    small = SETTINGS.model_copy(update={"max_upload_bytes": 100_000})
    # When it is fetched
    error = fails(begun(db, folder, server, small))
    # Then it is refused like an upload, and nothing is left
    assert (error.code, error.retryable) == ("upload_too_large", False)
    assert files(folder) == []


def test_an_address_that_is_not_public_is_refused(db: Database, folder: Path, server: FileServer) -> None:
    # Given a server on this machine, which nobody has allowed
    # When its file is fetched
    error = fails(begun(db, folder, server, Settings()))
    # Then it is not
    assert (error.code, error.retryable) == ("url_not_allowed", False)
    assert server.asked == []


def test_an_empty_file_is_none(db: Database, folder: Path, server: FileServer) -> None:
    # Given an empty file
    server.content = b""
    # When it is fetched
    # Then that is an error, and nothing is left
    assert fails(begun(db, folder, server)).code == "empty_file"
    assert files(folder) == []


def test_nobody_waits_for_ever(db: Database, folder: Path, server: FileServer) -> None:
    # Given a server that drips
    server.pause = 0.2
    impatient = SETTINGS.model_copy(update={"load_limit_seconds": 0.5})
    # When its file is fetched
    error = fails(begun(db, folder, server, impatient))
    # Then it is left, to be tried again
    assert (error.code, error.retryable) == ("input_unreachable", True)
    assert files(folder) == []


@pytest.mark.parametrize(("event", "expected"), [("canceled", Canceled), ("stopping", Stopping)])
def test_a_stop_is_heard_while_the_server_says_nothing(
    db: Database, folder: Path, server: FileServer, event: str, expected: type[OctaviaError]
) -> None:
    # Given a server that has stalled
    server.stalls = [100_000]
    work = begun(db, folder, server)
    # When the job is canceled, or the worker told to stop
    timer = threading.Timer(0.3, getattr(work, event).set)
    timer.start()
    began = time.monotonic()
    with pytest.raises(expected):
        recording(work)
    # Then it stops long before it would have given up on the server, and leaves nothing
    assert time.monotonic() - began < SETTINGS.body_timeout_seconds / 2
    timer.join()
    assert files(folder) == []


def test_the_soft_limit_is_heard_too(db: Database, folder: Path, server: FileServer) -> None:
    # Given an attempt that has used up its time
    work = begun(db, folder, server)
    work.soft_deadline = 0
    # When it fetches
    # Then it ends
    with pytest.raises(TimeLimitExceeded):
        recording(work)
    assert files(folder) == []


def test_an_attempt_that_lost_its_task_changes_nothing(database: Database, folder: Path, server: FileServer) -> None:
    # Given an attempt whose task another worker has meanwhile
    work = begun(database, folder, server)
    claims.expire_leases(database, worker="w", max_attempts=4)
    # When it has fetched the recording
    with pytest.raises(LeaseLost):
        recording(work)
    # Then the job is as it was
    found: dict[str, Any] = Steps(database).job(work.job.id).input
    assert found["url"] == server.url
    assert "key" not in found


def test_a_recording_that_was_removed_is_gone(db: Database, folder: Path, server: FileServer) -> None:
    # Given a job whose input expired
    work = begun(db, folder, server)
    del work.job.input["url"]
    # When it is needed
    # Then that is said
    assert fails(work).code == "artifact_missing"
