"""Fan-out from ``prepare`` to the tasks of every chunk, and fan-in from these to ``assemble``."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy.orm import Session

from octavia.jobs.protocol.enqueue import add_queued, start_stage
from octavia.jobs.protocol.messages import chunk_pipeline
from octavia.jobs.protocol.readiness import release_run, stages_of
from octavia.jobs.tables import chunk_times, newest_rows, writes
from octavia.jobs.tables.records import Detected, Plan, TaskRef, is_one_piece
from octavia.jobs.tables.rows import Job, Task
from octavia.jobs.tables.states import EARLY_FORMAT, WHOLE_JOB, Stage
from octavia.text.utterances import spoken_seconds

EDITS_DROPPED: Final = "edits_dropped"
"""Code of the warning that a new run dropped the edits of utterances."""


def begin(session: Session, job: Job) -> None:
    """Create a locked job's first tasks and queue one: ``prepare``, or the first stage of a text of one piece."""
    if not is_one_piece(job.input):
        job.chunks_total = None
        start_stage(session, job, Stage.PREPARE)
        return
    job.chunks_total = 1
    stages = stages_of(job)
    seconds = spoken_seconds(job.input["text"])
    pipeline = chunk_pipeline(job.id, job.run, 0, stages, job.priority, job.message_format, job.traceparent)
    add_queued(session, job, 0, stages[0], pipeline.messages[0].encode(), seconds=seconds)
    for stage in stages[1:]:
        writes.add(session, Task(job_id=job.id, run=job.run, chunk=0, stage=stage, seconds=seconds))


def forget_plan(job: Job) -> None:
    """Forget the models that a job is pinned to, and the notes about its former results."""
    job.models = {}
    job.warnings = [warning for warning in job.warnings if warning["code"] == EDITS_DROPPED]


def fan_out(session: Session, job: Job, plan: Plan) -> None:
    """Carry out the plan of ``prepare``: store the job's facts, create every chunk's tasks, queue the ready ones."""
    add_chunks(session, job, plan)
    job.chunks_total = len(plan.chunks)
    job.duration = plan.duration
    # Without a chunk there is no speech to detect a language in.
    if plan.needs_detect and plan.chunks:
        start_stage(session, job, Stage.DETECT)
    else:
        release_run(session, job)
        fan_in(session, job)


def add_chunks(session: Session, job: Job, plan: Plan) -> list[Task]:
    """Create the tasks of a plan's chunks that this run does not have yet; returns the first task of each of them.

    The run's first chunks come with the plan's models, language and warnings. Raises ``ValueError`` if the plan cuts
    the recording in other places than the chunks that are there.
    """
    prepare = TaskRef(job.id, job.run, WHOLE_JOB, Stage.PREPARE)
    # Before this format, all chunks are created at once.
    early = job.message_format >= EARLY_FORMAT
    known = chunk_times.of_run(session, prepare, stages_of(job)[0]) if early else []
    if known != [chunk.seconds for chunk in plan.chunks[: len(known)]]:
        raise ValueError(f"job {job.id} is cut in other places than before")
    if not known:
        _store_facts(job, plan)
    added = [add_chunk(session, job, new.index, new.seconds, stages_of(job)) for new in plan.chunks[len(known) :]]
    session.flush()
    return added


def apply_language(session: Session, job: Job, detected: Detected) -> None:
    """Store the language that ``detect`` heard and queue the chunks' tasks."""
    job.source_language = detected.language
    job.models = {**job.models, **detected.models}
    add_warnings(job, detected.warnings)
    session.flush()
    release_run(session, job)


def add_warnings(job: Job, warnings: Sequence[dict[str, str]]) -> None:
    """Add warnings to a job, each once."""
    job.warnings = [*job.warnings, *(dict(new) for new in warnings if new not in job.warnings)]


def add_chunk(session: Session, job: Job, chunk: int, seconds: float, stages: Sequence[Stage]) -> Task:
    """Create a chunk's waiting tasks; returns the first.

    It has the pipeline's message; the others get theirs handed over.
    """
    pipeline = chunk_pipeline(job.id, job.run, chunk, stages, job.priority, job.message_format, job.traceparent)
    tasks = [Task(job_id=job.id, run=job.run, chunk=chunk, stage=stage, seconds=seconds) for stage in stages]
    tasks[0].message = pipeline.messages[0].encode()
    session.add_all(tasks)
    return tasks[0]


def fan_in(session: Session, job: Job) -> None:
    """Start ``assemble`` if the plan is known, every chunk is done and it has not been started.

    Called under the job's lock whenever a task completes, so exactly one call starts it.
    """
    if job.chunks_total is None or newest_rows.count_completed(session, job, stages_of(job)[-1]) < job.chunks_total:
        return
    if newest_rows.find_task(session, TaskRef(job.id, job.run, WHOLE_JOB, Stage.ASSEMBLE)) is None:
        start_stage(session, job, Stage.ASSEMBLE, seconds=job.duration or 0.0)


def _store_facts(job: Job, plan: Plan) -> None:
    forget_plan(job)
    job.models = dict(plan.models)
    job.warnings = [*job.warnings, *(dict(warning) for warning in plan.warnings)]
    if plan.language is not None:
        job.source_language = plan.language
