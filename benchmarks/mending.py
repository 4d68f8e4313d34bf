"""Measure the cost of mending one line of a long dub, next to the dub itself, in seconds of the models' tasks.

One worker process, which loads the models during the dub; Spanish by Kokoro. A task's seconds are all it takes:
reading, the model, and storing.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from benchmarks.speech import write_speech
from octavia.jobs.lifecycle import edits
from octavia.jobs.lifecycle.edits import Changes
from octavia.jobs.tables import contents, queries
from octavia.jobs.tables.records import JobRecord, NewJob
from octavia.jobs.tables.rows import Task
from octavia.jobs.tables.states import JobStatus, JobType, Stage
from octavia.local import OWNER, LocalService
from octavia.settings import Settings
from octavia.text.utterances import Utterance

MODELS = (Stage.TRANSCRIBE, Stage.TRANSLATE, Stage.SYNTHESIZE)


def main() -> None:
    """Dub, mend, and print the seconds of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=520, help="of speech")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        media = Path(folder) / "speech.wav"
        write_speech(media, arguments.seconds)
        with LocalService(Settings(data_dir=Path(folder) / "data", log_level="warning"), slots=1) as service:
            began = time.monotonic()
            job = _finished(service, service.submit(NewJob(JobType.DUB, "en", "es"), media).id)
            full = _model_seconds(service, job)
            lines = _lines(service, job)
            print(f"{len(lines)} utterances in {job.duration:.0f} s, {job.chunks_total} chunks")
            print(f"{'the dub':<24} {full:8.2f} s of models             {time.monotonic() - began:7.1f} s in all")
            one = lines[len(lines) // 2]
            for name, changes in {
                "its translation mended": {"translation": "Esto es lo que dice ahora."},
                "its source mended": {"source": "The train to the coast leaves at noon."},
                "silenced": {"translation": ""},
            }.items():
                began = time.monotonic()
                job = _mended(service, job, {one.id: changes})
                seconds = _model_seconds(service, job)
                wall = time.monotonic() - began
                print(f"{name:<24} {seconds:8.2f} s of models, {seconds / full:7.2%}   {wall:7.1f} s in all")


def _finished(service: LocalService, job_id: UUID) -> JobRecord:
    job = service.wait(job_id, lambda *_: None)
    if job.status is not JobStatus.COMPLETED:
        raise SystemExit(f"error: {job.error}")
    return job


def _mended(service: LocalService, job: JobRecord, changes: Changes) -> JobRecord:
    lines = _lines(service, job)
    edits.edit_utterances(service.database, job.id, OWNER, changes, lines, of_revision=job.revision)
    return _finished(service, job.id)


def _lines(service: LocalService, job: JobRecord) -> list[Utterance]:
    file = queries.artifact(service.database, job.id, "translation.json")
    return [Utterance.from_dict(row) for row in json.loads(contents.read(service.storage, file))["utterances"]]


def _model_seconds(service: LocalService, job: JobRecord) -> float:
    """Sum the seconds of the newest run's tasks that use models."""
    of_run = sa.select(Task).where(col(Task.job_id) == job.id, col(Task.run) == job.run, col(Task.stage).in_(MODELS))
    with service.database.reading() as session:
        tasks = session.scalars(of_run).all()
        return sum(
            (task.finished_at - task.started_at).total_seconds()
            for task in tasks
            if task.finished_at and task.started_at
        )


if __name__ == "__main__":
    main()
