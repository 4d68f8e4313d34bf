"""Mending utterances: what is redone, what is refused, and what becomes of it later."""

from functools import partial
from uuid import UUID

import pytest

from octavia.errors import Conflict, InputError, NotFound
from octavia.jobs.access import keys
from octavia.jobs.access.keys import Limits, Scope
from octavia.jobs.access.limits import TooMany
from octavia.jobs.lifecycle import edits, submit
from octavia.jobs.lifecycle.edits import Changes, RevisionChanged
from octavia.jobs.protocol import cancel
from octavia.jobs.protocol.messages import decode
from octavia.jobs.tables.records import JobRecord, TaskRef
from octavia.jobs.tables.states import EDITS_FORMAT, PLAIN_FORMAT, WHOLE_JOB, JobStatus, JobType, Stage
from octavia.text.edits import UtteranceEdit
from octavia.text.utterances import Utterance
from tests.integration.jobs.steps import HOPELESS, TEXT, Steps, at_once

SAID = [Utterance(f"{chunk}-0", chunk, chunk * 29.0, chunk * 29.0 + 5, "Hello.") for chunk in range(3)]
HOLA: Changes = {"1-0": {"translation": "Hola."}}


def mend(
    steps: Steps, job_id: UUID, changes: Changes = HOLA, *, seen: str | None = None, of_revision: int = 1
) -> JobRecord:
    return edits.edit_utterances(steps.db, job_id, "local", changes, SAID, of_revision=of_revision, seen=seen)


def done(steps: Steps, type: JobType = JobType.DUB) -> JobRecord:
    job = steps.submit(type)
    steps.run_out(chunks=3)
    return steps.job(job.id)


@pytest.mark.parametrize(
    ("type", "stages"),
    [
        (JobType.DUB, {Stage.TRANSLATE, Stage.SYNTHESIZE}),
        (JobType.TRANSLATE, {Stage.TRANSLATE}),
        (JobType.TRANSCRIBE, set()),
    ],
)
def test_only_the_chunk_that_has_the_line_is_redone(steps: Steps, type: JobType, stages: set[Stage]) -> None:
    # Given a completed job of three chunks
    job = done(steps, type)
    # When a line of the second is mended
    mended = mend(steps, job.id)
    assert (mended.status, mended.run, mended.revision, mended.mending) == (JobStatus.QUEUED, 2, 1, True)
    # Then a new run redoes that chunk, but for recognising, and assembles
    redone = steps.run_out()
    assert redone == [*(TaskRef(job.id, 2, 1, stage) for stage in Stage if stage in stages), assemble(job, 2)]
    # And the job has another revision, and the one before
    assert (steps.job(job.id).status, steps.job(job.id).revision) == (JobStatus.COMPLETED, 2)
    assert sorted(row.revision for row in steps.artifacts(job.id) if row.revision) == [1, 2]


def test_edits_count_as_jobs_in_flight(steps: Steps) -> None:
    # Given a key that may have a single job in flight, and has two that have ended
    key, _ = keys.create(steps.db, "a", owner="local", scopes=[Scope.WRITE], limits=Limits(jobs_in_flight=1))
    jobs = [steps.submit() for _ in range(2)]
    for job in jobs:
        steps.change_job(job.id, key_id=key.id)
    steps.run_out(chunks=3)
    # When lines of both are mended at once, then one is, and the other is as it was
    results = at_once(*[partial(mend, steps, job.id) for job in jobs])
    assert sum(isinstance(result, JobRecord) for result in results) == 1
    (refused,) = [result for result in results if isinstance(result, Exception)]
    assert isinstance(refused, TooMany)
    assert sorted(steps.job(job.id).run for job in jobs) == [1, 2]


def assemble(job: JobRecord, run: int) -> TaskRef:
    return TaskRef(job.id, run, WHOLE_JOB, Stage.ASSEMBLE)


def of_chunk_1(steps: Steps, job_id: UUID) -> dict[str, UtteranceEdit]:
    return {id: mended.edit for id, mended in edits.of_job(steps.db, job_id, 1).items()}


def test_what_is_mended_adds_up_and_can_be_taken_back(steps: Steps) -> None:
    # Given a line that was mended
    job = done(steps)
    mend(steps, job.id)
    steps.run_out()
    # When another one is, and the first in another way
    mend(steps, job.id, {"2-0": {"end": 65.5}, "1-0": {"voice": "joe"}}, of_revision=2)
    steps.run_out()
    # Then all of that is known, by chunk too
    assert of_chunk_1(steps, job.id) == {"1-0": UtteranceEdit(translation="Hola.", voice="joe")}
    assert {id: mended.edit for id, mended in edits.of_job(steps.db, job.id).items()} == {
        "1-0": UtteranceEdit(translation="Hola.", voice="joe"),
        "2-0": UtteranceEdit(end=65.5),
    }
    # When a part is taken back, then the rest stays
    mend(steps, job.id, {"1-0": {"translation": None}}, of_revision=3)
    assert of_chunk_1(steps, job.id) == {"1-0": UtteranceEdit(voice="joe")}
    assert edits.of_job(steps.db, job.id)["1-0"].original.source == "Hello."


def test_workers_of_older_releases_leave_a_mended_job_alone(steps: Steps) -> None:
    # Given a job that nobody has mended, from a release before early chunks: any release may work on it
    job = steps.submit(start=False)
    steps.change_job(job.id, message_format=PLAIN_FORMAT)
    submit.start(steps.db, job.id, "local")
    steps.run_out(chunks=3)
    assert {decode(row.message).kwargs["format"] for row in steps.outbox()} == {PLAIN_FORMAT}
    # When a line is mended, then its messages are of a format that older ones postpone, all of them
    mend(steps, job.id)
    steps.run_out()
    formats = [(message.kwargs["run"], message.kwargs["format"]) for message in map(decode, sent(steps))]
    assert {format for run, format in formats if run == 2} == {EDITS_FORMAT}
    # And so are those of every later run
    submit.retry(steps.db, job.id, "local", from_stage=Stage.PREPARE)
    assert decode(sent(steps)[-1]).kwargs["format"] == EDITS_FORMAT


def sent(steps: Steps) -> list[bytes]:
    return [row.message for row in steps.outbox()]


@pytest.mark.parametrize("end", ["fail", "cancel"])
def test_what_was_not_carried_out_is_with_the_next_run(steps: Steps, end: str) -> None:
    # Given a line that was mended, and a run for it that came to nothing
    job = done(steps)
    mend(steps, job.id)
    if end == "fail":
        (ref,) = steps.deliver()
        steps.fail(steps.claim(ref), HOPELESS)
    else:
        cancel.cancel(steps.db, job.id, "local")
        steps.deliver()
    assert steps.job(job.id).revision == 1
    # When the job is retried, or mended further
    if end == "fail":
        again = submit.retry(steps.db, job.id, "local")
    else:
        again = mend(steps, job.id, {"2-0": {"translation": "Adiós."}})
    # Then what is still to be done is done, as mending and nothing more
    assert (again.run, again.mending) == (3, True)
    chunks = {1} if end == "fail" else {1, 2}
    assert {(ref.chunk, ref.stage) for ref in steps.run_out()} == {
        *((chunk, stage) for chunk in chunks for stage in (Stage.TRANSLATE, Stage.SYNTHESIZE)),
        (WHOLE_JOB, Stage.ASSEMBLE),
    }
    assert of_chunk_1(steps, job.id) == {"1-0": UtteranceEdit(translation="Hola.")}


def test_a_run_from_the_translation_on_keeps_what_was_mended(steps: Steps) -> None:
    job = done(steps)
    mend(steps, job.id)
    steps.run_out()
    again = submit.retry(steps.db, job.id, "local", from_stage=Stage.TRANSLATE)
    # It is not mending: it translates everything anew, but for what people wrote
    assert again.mending is False
    assert of_chunk_1(steps, job.id) == {"1-0": UtteranceEdit(translation="Hola.")}
    assert again.warnings == ()


@pytest.mark.parametrize("stage", [Stage.PREPARE, Stage.TRANSCRIBE])
def test_a_run_that_recognises_anew_drops_what_was_mended_and_says_so(steps: Steps, stage: Stage) -> None:
    # Given a mended job
    job = done(steps)
    mend(steps, job.id)
    steps.run_out()
    # When it is run again from a stage that may make other utterances
    again = submit.retry(steps.db, job.id, "local", from_stage=stage)
    # Then what was mended is gone, and the job says so, to its end
    assert edits.of_job(steps.db, job.id) == {}
    assert [warning["code"] for warning in again.warnings] == ["edits_dropped"]
    steps.run_out(chunks=3)
    assert [warning["code"] for warning in steps.job(job.id).warnings] == ["edits_dropped"]
    # And not any more once there was nothing to drop
    again = submit.retry(steps.db, job.id, "local", from_stage=stage)
    assert again.warnings == ()


def test_mending_from_what_is_no_longer_so_is_refused(steps: Steps) -> None:
    job = done(steps)
    mend(steps, job.id)
    steps.run_out()
    for seen, of_revision in (("1", 2), ("1", 1), ("2", 1), ("2.2", 2), (None, 1)):
        with pytest.raises(RevisionChanged) as refused:
            mend(steps, job.id, seen=seen, of_revision=of_revision)
        assert refused.value.code == "precondition_failed"
    assert steps.job(job.id).run == 2


def test_what_somebody_else_mended_is_not_undone_unseen(steps: Steps) -> None:
    # Given two people who have read the same revision, and a line that one of them mended, in a run that failed
    job = done(steps)
    read = edits.version(job)
    mend(steps, job.id, seen=read)
    assert edits.version(steps.job(job.id)) != read
    (ref, *_) = steps.deliver()
    steps.fail(steps.claim(ref), HOPELESS)
    # When the other one mends it too, then that is refused
    with pytest.raises(RevisionChanged):
        mend(steps, job.id, {"1-0": {"translation": "¡Buenas!"}}, seen=read)
    assert edits.of_job(steps.db, job.id)["1-0"].edit.translation == "Hola."
    # Unless they have read it
    mend(steps, job.id, {"1-0": {"translation": "¡Buenas!"}}, seen=edits.version(steps.job(job.id)))
    assert edits.of_job(steps.db, job.id)["1-0"].edit.translation == "¡Buenas!"


def test_only_what_has_completed_is_mended(steps: Steps) -> None:
    # A job that has not begun, and one that runs
    job, messages = steps.prepared(1)
    with pytest.raises(Conflict, match="processing"):
        mend(steps, job.id, of_revision=0)
    # One that failed
    steps.fail(steps.claim(next(iter(messages))), HOPELESS)
    with pytest.raises(Conflict, match="failed"):
        mend(steps, job.id, of_revision=0)
    # One that is being mended
    job = done(steps)
    mend(steps, job.id)
    with pytest.raises(Conflict, match="queued"):
        mend(steps, job.id)
    # One that failed when it was run again from a stage: its utterances may not be those of its revision
    steps.run_out()
    submit.retry(steps.db, job.id, "local", from_stage=Stage.TRANSCRIBE)
    (ref, *_) = steps.deliver()
    steps.fail(steps.claim(ref), HOPELESS)
    with pytest.raises(Conflict, match="failed"):
        mend(steps, job.id, of_revision=2)


def test_nothing_is_mended_when_one_line_is_wrong(steps: Steps) -> None:
    job = done(steps)
    with pytest.raises(NotFound) as unknown:
        mend(steps, job.id, {**HOLA, "9-9": {"translation": "?"}})
    assert unknown.value.code == "utterance_not_found"
    with pytest.raises(InputError) as overlapping:
        mend(steps, job.id, {**HOLA, "2-0": {"start": 30.0}})
    assert (overlapping.value.code, "1-0" in overlapping.value.message) == ("invalid_times", True)
    with pytest.raises(NotFound):
        edits.edit_utterances(steps.db, job.id, "somebody", HOLA, SAID, of_revision=1)
    assert edits.of_job(steps.db, job.id) == {}
    assert steps.job(job.id).status is JobStatus.COMPLETED


def test_times_are_measured_against_what_was_there_before(steps: Steps) -> None:
    # Given a line that was shortened, and the next one that was moved into the gap
    job = done(steps)
    mend(steps, job.id, {"0-0": {"end": 3.0}, "1-0": {"start": 4.0}})
    steps.run_out()
    # When the first gets its own end back, then it would overlap
    with pytest.raises(InputError, match="1-0"):
        mend(steps, job.id, {"0-0": {"end": None}}, of_revision=2)


def test_a_text_has_its_lines_too(steps: Steps) -> None:
    job = steps.submit(JobType.SYNTHESIZE, input=TEXT)
    steps.run_out(chunks=3)
    mend(steps, job.id, {"1-0": {"source": "Good morning."}})
    assert steps.run_out() == [TaskRef(job.id, 2, 1, Stage.SYNTHESIZE), assemble(job, 2)]
