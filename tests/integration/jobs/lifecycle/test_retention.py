"""What is past its time goes, what is still named stays, over both databases and a real folder."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa
from uuid_utils.compat import uuid7

from octavia.jobs.lifecycle import edits, retention
from octavia.jobs.protocol import cancel
from octavia.jobs.tables.records import JobRecord
from octavia.jobs.tables.rows import Artifact
from octavia.jobs.tables.states import Stage
from octavia.storage import Storage
from octavia.text.utterances import Utterance
from tests.integration.jobs.steps import Steps

DAY = 24 * 3600


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.fixture
def storage(folder: Path) -> Storage:
    return Storage(f"file://{folder}")


def submitted(steps: Steps, storage: Storage, *, start: bool = True) -> JobRecord:
    """A job whose input is in storage."""
    job = steps.submit(start=start)
    key = f"jobs/{job.id}/input/a.wav"
    storage.put(key, b"sound")
    steps.change_job(job.id, input={"kind": "media", "key": key, "filename": "a.wav"})
    return steps.job(job.id)


def completed(steps: Steps, storage: Storage) -> JobRecord:
    """A completed job with all its files in storage."""
    job = submitted(steps, storage)
    steps.run_out(chunks=2)
    for artifact in steps.artifacts(job.id):
        storage.put(artifact.storage_key, b"{}")
    return steps.job(job.id)


def expire(steps: Steps, job_id: UUID) -> None:
    steps.change_job(job_id, expires_at=datetime.now(UTC) - timedelta(seconds=1))


def keys(storage: Storage) -> set[str]:
    return set(dict(storage.keys()))


def age(folder: Path, seconds: float) -> None:
    """Make every file older."""
    moment = time.time() - seconds
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (moment, moment))


# Expiry


def test_an_expired_job_loses_its_files_and_stays(steps: Steps, storage: Storage, folder: Path) -> None:
    # Given two completed jobs, one of them past its time
    old, young = completed(steps, storage), completed(steps, storage)
    expire(steps, old.id)
    kept = {key for key in keys(storage) if str(young.id) in key}
    # When results expire
    assert retention.expire_jobs(steps.db, storage) == 1
    # Then the files of that one are gone, and their folders, and those of the other are not
    assert keys(storage) == kept
    assert not (folder / "jobs" / str(old.id)).exists()
    # And the job says what it was
    job = steps.job(old.id)
    assert (job.status, job.revision) == (old.status, 1)
    assert job.input == {"kind": "media", "filename": "a.wav"}
    assert steps.artifacts(old.id) == []
    # And the second time there is nothing to do
    assert retention.expire_jobs(steps.db, storage) == 0


def test_a_canceled_job_loses_its_input_in_time(steps: Steps, storage: Storage) -> None:
    job = submitted(steps, storage)
    cancel.cancel(steps.db, job.id, "local")
    assert retention.expire_jobs(steps.db, storage) == 0
    expire(steps, job.id)
    assert retention.expire_jobs(steps.db, storage) == 1
    assert keys(storage) == set()


def test_a_job_that_nobody_starts_loses_its_input_in_time(
    steps: Steps, storage: Storage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a job that waits to be started
    job = submitted(steps, storage, start=False)
    age(folder, 2 * 3600)
    assert retention.expire_jobs(steps.db, storage) == 0
    assert retention.sweep_orphans(steps.db, storage) == 0
    # When its time is over, and the expiry breaks off before the file is gone
    expire(steps, job.id)
    with monkeypatch.context() as patch:
        patch.setattr(storage, "delete", lambda key: None)
        assert retention.expire_jobs(steps.db, storage) == 1
    # Then the sweep takes it
    assert retention.sweep_orphans(steps.db, storage) == 1
    assert keys(storage) == set()


def test_a_job_that_is_under_way_keeps_its_files(steps: Steps, storage: Storage) -> None:
    # Given a job under way, whatever its row says of time
    job = submitted(steps, storage)
    expire(steps, job.id)
    assert retention.expire_jobs(steps.db, storage) == 0
    assert keys(storage) == {f"jobs/{job.id}/input/a.wav"}


def test_more_jobs_than_a_batch_expire_at_once(steps: Steps, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "JOBS_AT_ONCE", 2)
    jobs = [submitted(steps, storage) for _ in range(5)]
    for job in jobs:
        cancel.cancel(steps.db, job.id, "local")
        expire(steps, job.id)
    assert retention.expire_jobs(steps.db, storage) == 5
    assert keys(storage) == set()


def test_an_expiry_that_is_broken_off_is_finished_by_the_sweep(
    steps: Steps, storage: Storage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an expiry that breaks off after the rows are gone
    job = completed(steps, storage)
    expire(steps, job.id)
    with monkeypatch.context() as patch:
        patch.setattr(storage, "delete", lambda key: (_ for _ in ()).throw(RuntimeError("broken off")))
        with pytest.raises(RuntimeError):
            retention.expire_jobs(steps.db, storage)
    assert keys(storage)
    # When the sweep comes, an hour later
    age(folder, 2 * 3600)
    retention.sweep_orphans(steps.db, storage)
    # Then nothing is left
    assert keys(storage) == set()


# Orphans


def test_what_no_row_names_is_swept(steps: Steps, storage: Storage, folder: Path) -> None:
    # Given a completed job, and files of an attempt of it that failed and of an upload that never became a job
    job = completed(steps, storage)
    named = keys(storage)
    storage.put(f"jobs/{job.id}/r1/00000/transcribe/a9/result.json", b"{}")
    storage.put(f"jobs/{uuid7()}/input/a.wav", b"sound")
    # When they are young, then they stay: their row may be about to be written
    assert retention.sweep_orphans(steps.db, storage) == 0
    # When they are old, then they go
    age(folder, 2 * 3600)
    assert retention.sweep_orphans(steps.db, storage) == 2
    assert keys(storage) == named


def test_half_an_upload_is_swept(steps: Steps, storage: Storage, folder: Path) -> None:
    # Given what a server that was killed left of an upload
    part = folder / "jobs" / str(uuid7()) / "input" / "a.wav.0123.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half")
    age(folder, 2 * 3600)
    assert retention.sweep_orphans(steps.db, storage) == 1
    assert not part.parent.exists()


def test_files_of_a_job_under_way_are_not_touched(steps: Steps, storage: Storage, folder: Path) -> None:
    # Given a job that works, with a file whose row is still to come
    job, _ = steps.prepared(1)
    storage.put(f"jobs/{job.id}/speech/0123.flac", b"spoken")
    age(folder, 30 * DAY)
    assert retention.sweep_orphans(steps.db, storage) == 0


def test_other_peoples_files_are_not_touched(steps: Steps, storage: Storage, folder: Path) -> None:
    # Given a folder that is not ours alone
    for key in ("photos/me.jpg", "jobs/application.txt", "jobs/2024/cv.pdf"):
        storage.put(key, b"mine")
    age(folder, 30 * DAY)
    assert retention.sweep_orphans(steps.db, storage) == 0
    assert len(keys(storage)) == 3


def test_the_sweep_works_batch_by_batch(
    steps: Steps, storage: Storage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_KEYS_AT_ONCE", 3)
    job = completed(steps, storage)
    named = keys(storage)
    for number in range(10):
        storage.put(f"jobs/{job.id}/r9/{number}/x", b"{}")
    age(folder, 2 * 3600)
    assert retention.sweep_orphans(steps.db, storage) == 10
    assert keys(storage) == named


def test_an_empty_store_has_no_orphans(steps: Steps, storage: Storage) -> None:
    assert retention.sweep_orphans(steps.db, storage) == 0


# Events


def test_events_go_with_their_jobs_files(steps: Steps, storage: Storage) -> None:
    # Given an expired job and one that is not
    old, young = completed(steps, storage), completed(steps, storage)
    expire(steps, old.id)
    many = len(steps.events(old.id))
    # When events are pruned
    assert retention.prune_events(steps.db) == many > 0
    # Then those of the expired job are gone, for good
    assert steps.events(old.id) == []
    assert steps.events(young.id) != []
    assert retention.prune_events(steps.db) == 0


def test_pruning_works_batch_by_batch(steps: Steps, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "JOBS_AT_ONCE", 2)
    jobs = [submitted(steps, storage) for _ in range(5)]
    for job in jobs:
        cancel.cancel(steps.db, job.id, "local")
        expire(steps, job.id)
    assert retention.prune_events(steps.db) == 10


def test_rows_of_published_results_are_gone_too(steps: Steps, storage: Storage) -> None:
    job = completed(steps, storage)
    expire(steps, job.id)
    retention.expire_jobs(steps.db, storage)
    with steps.db.reading() as session:
        assert session.scalars(sa.select(sa.func.count()).select_from(Artifact)).one() == 0
    assert Stage.ASSEMBLE in {task.stage for task in steps.tasks(job.id)}


def test_a_fetched_recording_expires_like_an_upload(steps: Steps, storage: Storage) -> None:
    # Given a completed job whose recording was fetched by an attempt, and one that was never started
    job = steps.submit()
    key = f"jobs/{job.id}/r1/job/prepare/a2/input"
    storage.put(key, b"sound")
    steps.change_job(job.id, input={"kind": "url", "key": key, "filename": "a.wav"})
    steps.run_out()
    waiting = steps.submit(start=False)
    steps.change_job(waiting.id, input={"kind": "url", "url": "https://example.com/?signature=abc", "filename": "b"})
    # When they expire
    expire(steps, job.id)
    expire(steps, waiting.id)
    retention.expire_jobs(steps.db, storage)
    # Then the recording goes, and so does the address
    assert key not in keys(storage)
    assert steps.job(job.id).input == {"kind": "url", "filename": "a.wav"}
    assert steps.job(waiting.id).input == {"kind": "url", "filename": "b"}


def test_what_attempts_fetched_in_vain_is_swept(steps: Steps, storage: Storage, folder: Path) -> None:
    # Given a job at rest whose recording was fetched by its second attempt, after the first had lost its task
    job = steps.submit()
    lost, kept = (f"jobs/{job.id}/r1/job/prepare/a{attempt}/input" for attempt in (1, 2))
    for key in (lost, kept):
        storage.put(key, b"sound")
    steps.change_job(job.id, input={"kind": "url", "key": kept, "filename": "a.wav"})
    cancel.cancel(steps.db, job.id, "local")
    # When old files that no row names are swept
    age(folder, DAY)
    retention.sweep_orphans(steps.db, storage)
    # Then only the one that the job names stays
    assert keys(storage) == {kept}


def test_what_was_mended_goes_with_the_results(steps: Steps, storage: Storage) -> None:
    # Given a job whose words somebody has mended
    job = completed(steps, storage)
    said = [Utterance("0-0", 0, 0.0, 5.0, "Hello.")]
    edits.edit_utterances(steps.db, job.id, "local", {"0-0": {"source": "Hello, Ann."}}, said, of_revision=1)
    steps.run_out(chunks=2)
    # When its results expire, then so do these words
    expire(steps, job.id)
    retention.expire_jobs(steps.db, storage)
    assert edits.of_job(steps.db, job.id) == {}
