"""The disk is full, refuses, or lacks what was on it; without a broker, the database is a file on it too."""

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from uuid import UUID

import psutil
import pytest

from octavia.jobs.tables.states import JobStatus
from octavia.settings import Settings
from tests.integration.faults.deployment import QUICK, Deployment, Recovery, deployed, until_broken
from tests.support.ports import free_port

CHILD = str(Path(__file__).with_name("storage_child.py"))
# Root may write what nobody may, unless it lacks this.
UNPRIVILEGED = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
_MB = 1024 * 1024
# Beyond what SQLite's own files grow to.
_LIMIT, _LARGE = 12 * _MB, 16 * _MB


@pytest.fixture(scope="module")
def deployment(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Without a broker, over SQLite; its processes are bound by permissions."""
    folder = tmp_path_factory.mktemp("deployment") / "data"
    folder.mkdir()
    shutil.copy(sqlite_template, folder / "octavia.db")
    settings = Settings(data_dir=folder, port=free_port(), min_free_bytes=0, **QUICK)
    with deployed(
        settings, folder.parent, command=(*UNPRIVILEGED, sys.executable, CHILD), prefix=UNPRIVILEGED
    ) as running:
        yield running


@pytest.fixture
def storage(deployment: Deployment) -> Path:
    """The folder of the storage."""
    return deployment.settings.data_dir / "storage"


def files(storage: Path) -> list[Path]:
    return sorted(path for path in storage.rglob("*") if path.is_file())


@contextmanager
def refusing(storage: Path) -> Iterator[None]:
    """Folders that nobody may write to."""
    folders = [path for path in (storage, *storage.rglob("*")) if path.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    try:
        yield
    finally:
        for folder in folders:
            folder.chmod(0o755)


@contextmanager
def full(processes: Iterable[psutil.Process], limit: int) -> Iterator[None]:
    """Processes that can write no file beyond so many bytes: the operating system sees to that."""
    found = list(processes)
    assert found
    for one in found:
        resource.prlimit(one.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        for one in found:
            with suppress(ProcessLookupError):  # one that could not even log may have been replaced
                resource.prlimit(one.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextmanager
def moved(folder: Path) -> Iterator[None]:
    """A folder that is gone, as when its disk is not mounted."""
    elsewhere = folder.with_name(f"{folder.name}.elsewhere")
    folder.rename(elsewhere)
    try:
        yield
    finally:
        assert not folder.exists(), "somebody has made another in its place"
        elsewhere.rename(folder)


def gated(tmp_path: Path, stage: str) -> tuple[Path, dict[str, dict[str, str]]]:
    """A file that a stage waits for, and the metadata for that."""
    gate = tmp_path / f"{stage}.gate"
    return gate, {"gates": {stage: str(gate)}}


def let_the_first_in(gate: Path) -> None:
    """Open a gate for the first attempt alone: the next ones wait, however slow we are to see them, and use up none."""
    gate.with_name(f"{gate.name}.1").touch()


def until_begun(deployment: Deployment, job_id: UUID, stage: str, attempts: int = 1) -> None:
    deployment.until(lambda: [one.job_id for one in deployment.attempts(stage)].count(job_id) >= attempts)


def test_a_storage_that_refuses_is_tried_again_until_it_does_not(
    deployment: Deployment, storage: Path, tmp_path: Path
) -> None:
    # Given a task about to write
    gate, metadata = gated(tmp_path, "transcribe")
    job_id = deployment.accepted(**metadata)
    until_begun(deployment, job_id, "transcribe")
    # When the storage may not be written any more
    with refusing(storage):
        let_the_first_in(gate)
        # Then the attempt counts and the next one comes, and uploads are refused
        until_broken(deployment, storage="storage_refused")
        before = files(storage)
        deployment.refused("storage_refused")
        assert files(storage) == before
        until_begun(deployment, job_id, "transcribe", 2)
    # And when it may be, the job completes
    gate.touch()
    recovery = Recovery("storage refuses writes (the next attempt after 0.3 s instead of 60 s)")
    deployment.until_whole(job_id)
    recovery.within(20)
    deployment.until_ready()


def test_a_storage_that_goes_on_refusing_fails_the_job_with_the_reason(
    deployment: Deployment, storage: Path, tmp_path: Path
) -> None:
    # Given a task about to write
    gate, metadata = gated(tmp_path, "transcribe")
    job_id = deployment.accepted(**metadata)
    until_begun(deployment, job_id, "transcribe")
    # When the storage may not be written any more, for longer than there are attempts
    with refusing(storage):
        gate.touch()
        job = deployment.until_ended(job_id)
    # Then the job failed and says why, rather than going on for ever
    assert job.status is JobStatus.FAILED
    assert job.error
    assert job.error.code == "storage_refused"
    assert "permissions" in job.error.hint or "owner" in job.error.hint
    assert len(deployment.numbers(job_id)) == 4
    # And once that is mended it can be run again, from where it was
    deployment.client.post(f"/api/v1/jobs/{job_id}/retry").raise_for_status()
    deployment.until_whole(job_id)
    assert len([one for one in deployment.attempts("prepare") if one.job_id == job_id]) == 1


def test_a_full_disk_of_a_worker_is_tried_again(deployment: Deployment, storage: Path, tmp_path: Path) -> None:
    # Given a task about to write more than there will be room for
    gate, metadata = gated(tmp_path, "transcribe")
    job_id = deployment.accepted(**metadata, bulk=_LARGE)
    until_begun(deployment, job_id, "transcribe")
    # When the disk is full
    with full(deployment.workers, _LIMIT):
        let_the_first_in(gate)
        until_begun(deployment, job_id, "transcribe", 2)
        # Then the attempt says so, and left nothing of what it wrote
        assert not list((storage / "jobs" / str(job_id)).rglob("*.part"))
    # And when there is room, the job completes
    gate.touch()
    recovery = Recovery("disk full under a worker (the next attempt after 0.3 s instead of 60 s)")
    deployment.until_whole(job_id)
    recovery.within(20)


def test_an_upload_onto_a_full_disk_is_refused_and_leaves_nothing(deployment: Deployment, storage: Path) -> None:
    # Given a disk that has less room than a recording needs, and finds out late
    before = files(storage)
    with full([deployment.api], _LIMIT):
        # When it is uploaded, then it is refused and nothing is left of it
        deployment.refused("storage_full", size=_LARGE)
        assert files(storage) == before
    # And when there is room, it is accepted
    recovery = Recovery("disk full under the API")
    deployment.until_whole(deployment.accepted(size=_LARGE))
    recovery.within(20)


def test_a_recording_that_is_gone_fails_the_job_at_once(deployment: Deployment, storage: Path, tmp_path: Path) -> None:
    # Given a job whose recording is about to be read
    gate, metadata = gated(tmp_path, "prepare")
    job_id = deployment.accepted(**metadata)
    until_begun(deployment, job_id, "prepare")
    # When its file vanishes
    next((storage / "jobs" / str(job_id)).rglob("talk.wav")).unlink()
    gate.touch()
    # Then the job fails with the first attempt, and says what to do
    job = deployment.until_ended(job_id)
    assert job.status is JobStatus.FAILED
    assert job.error
    assert job.error.code == "artifact_missing"
    assert "submit the recording again" in job.error.hint
    assert len([one for one in deployment.attempts("prepare") if one.job_id == job_id]) == 1


def test_a_piece_that_is_gone_is_made_again_by_a_new_run(deployment: Deployment, storage: Path, tmp_path: Path) -> None:
    # Given a job whose chunks are done and about to be assembled
    gate, metadata = gated(tmp_path, "assemble")
    job_id = deployment.accepted(chunks=2, **metadata)
    until_begun(deployment, job_id, "assemble")
    # When what one chunk left vanishes
    folder = storage / "jobs" / str(job_id)
    sorted(folder.rglob("heard.json"))[0].unlink()
    gate.touch()
    # Then the job fails, and says what to do
    job = deployment.until_ended(job_id)
    assert job.status is JobStatus.FAILED
    assert job.error
    assert job.error.code == "artifact_missing"
    assert "Run the job again from the stage that makes it" in job.error.hint
    # And when that is done, it completes
    answer = deployment.client.post(f"/api/v1/jobs/{job_id}/retry?from=transcribe")
    assert answer.status_code == 202, answer.text
    assert deployment.until_ended(job_id).status is JobStatus.COMPLETED


def test_a_result_that_is_gone_is_said(deployment: Deployment, storage: Path) -> None:
    # Given a job that has completed
    job_id = deployment.accepted()
    deployment.until_whole(job_id)
    url = f"/api/v1/jobs/{job_id}/transcript.txt"
    assert deployment.client.get(url).status_code == 200
    # When the file of its result vanishes
    next((storage / "jobs" / str(job_id)).rglob("transcript.txt")).unlink()
    # Then who asks for it is told so, and what to do
    answer = deployment.client.get(url)
    assert (answer.status_code, answer.json()["code"]) == (404, "artifact_missing")
    assert answer.json()["hint"]
    # And that makes it anew
    deployment.client.post(f"/api/v1/jobs/{job_id}/retry?from=assemble").raise_for_status()
    deployment.until(lambda: deployment.client.get(url).status_code == 200)


@pytest.mark.parametrize("during", [False, pytest.param(True, marks=pytest.mark.long)], ids=["idle", "in work"])
def test_a_folder_that_is_gone_is_waited_for(deployment: Deployment, tmp_path: Path, during: bool) -> None:
    # Given a task about to read
    gate, metadata = gated(tmp_path, "transcribe")
    job_id = deployment.accepted(**metadata)
    until_begun(deployment, job_id, "transcribe")
    # When all of the data is gone, the database too
    with moved(deployment.settings.data_dir):
        if during:
            gate.touch()
        # Then the API says so, accepts nothing, and nobody makes an empty folder in its place
        until_broken(deployment, database="database_unavailable", storage="storage_unavailable")
        deployment.refused("database_unavailable", "storage_unavailable")
    gate.touch()
    # And when it is back, the job completes
    recovery = Recovery(f"data folder gone and back{', with a task that needs it' if during else ''}")
    deployment.until_whole(job_id)
    recovery.within(30)
    deployment.until_ready()
    deployment.until_whole(deployment.accepted())


_HOLD = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
connection.execute("ROLLBACK")
"""


@pytest.mark.parametrize("seconds", [3.0, pytest.param(15.0, marks=pytest.mark.long)])
def test_a_database_file_that_is_locked_is_waited_for(deployment: Deployment, tmp_path: Path, seconds: float) -> None:
    # Given a task about to end
    gate, metadata = gated(tmp_path, "transcribe")
    job_id = deployment.accepted(**metadata)
    until_begun(deployment, job_id, "transcribe")
    # When another process holds the database's lock, some of the time for longer than anybody waits for it
    path = deployment.settings.data_dir / "octavia.db"
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path), str(seconds)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        gate.touch()
        # Then whoever submits a job meanwhile waits, and is answered in time
        began = time.monotonic()
        answer = deployment.post()
        assert time.monotonic() - began < 20
        assert answer.status_code in (202, 503), answer.text
        assert answer.status_code == 202 or answer.json()["code"] == "database_unavailable"
        holder.wait(seconds + 30)
    # And when it is free, the job completes, with the work done once
    recovery = Recovery(f"SQLite file locked for {seconds:.0f} s")
    deployment.until_whole(job_id)
    recovery.within(30)
    assert deployment.numbers(job_id) == [1]


def test_a_database_file_without_room_is_waited_for(deployment: Deployment, tmp_path: Path) -> None:
    # Given a task about to end
    gate, metadata = gated(tmp_path, "transcribe")
    job_id = deployment.accepted(**metadata)
    until_begun(deployment, job_id, "transcribe")
    # When neither workers nor API can write to the database's file
    with full([*deployment.workers, deployment.api], 0):
        # Then nothing is accepted
        deployment.refused("database_unavailable", "storage_full")
        gate.touch()
        began = time.monotonic()
        deployment.until(lambda: time.monotonic() > began + 1)
    # And when there is room, the job completes
    recovery = Recovery("no room for SQLite's file")
    deployment.until_whole(job_id)
    recovery.within(30)
    with closing(sqlite3.connect(deployment.settings.data_dir / "octavia.db")) as look:
        assert look.execute("PRAGMA integrity_check").fetchone() == ("ok",)
