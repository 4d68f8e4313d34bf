"""Texts of one piece, with real models: the same results as of longer texts, by fewer tasks and without files."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from octavia.errors import InputError
from octavia.jobs.lifecycle import edits, submit
from octavia.jobs.tables import queries
from octavia.jobs.tables.records import JobRecord, NewJob
from octavia.jobs.tables.states import JobType, Stage
from octavia.settings import Settings
from octavia.text.utterances import Utterance
from tests.support.one_worker import OneWorker

TEXT = " Good morning. The train leaves at noon.\n\nThank you. "
TRANSLATE = NewJob(JobType.TRANSLATE, "en", "es")


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[OneWorker]:
    worker = OneWorker(Settings(data_dir=tmp_path))
    yield worker
    worker.db.close()


def results(worker: OneWorker, job: JobRecord) -> dict[str, bytes]:
    return {file.name: worker.result(job.id, file.name) for file in queries.artifacts(worker.db, job.id)}


def test_it_is_translated_as_a_longer_text_by_one_task_and_without_a_file(worker: OneWorker) -> None:
    # Given a text that went through all stages of longer ones
    longer = worker.submit(TRANSLATE, TEXT)
    files = set(dict(worker.storage.keys()))
    # When it is translated as one piece
    job = worker.submit_piece(TRANSLATE, TEXT)
    # Then it has the same results and models
    assert results(worker, job) == results(worker, longer)
    assert (job.models, job.warnings, job.chunks_total) == (longer.models, longer.warnings, 1)
    # and one task made them, and no file
    assert queries.stage_seconds(worker.db, job.id).keys() == {Stage.TRANSLATE}
    assert set(dict(worker.storage.keys())) == files


def test_it_is_spoken_as_a_longer_text(worker: OneWorker) -> None:
    new = NewJob(JobType.SYNTHESIZE, "en")
    longer = worker.submit(new, "Good morning.")
    job = worker.submit_piece(new, "Good morning.")
    assert results(worker, job) == results(worker, longer)
    assert queries.stage_seconds(worker.db, job.id).keys() == {Stage.SYNTHESIZE}


def test_its_lines_are_mended_and_it_is_assembled_again(worker: OneWorker) -> None:
    # Given a translated one
    job = worker.submit_piece(TRANSLATE, TEXT)
    rows = json.loads(worker.result(job.id, "translation.json"))["utterances"]
    lines = [Utterance.from_dict({"chunk": 0, **row}) for row in rows]
    # When a line is mended, and the results are written again after that
    changes = {lines[0].id: {"translation": "Buen día."}}
    edits.edit_utterances(worker.db, job.id, "local", changes, lines, of_revision=job.revision)
    mended = worker.work(job.id)
    submit.retry(worker.db, job.id, "local", from_stage=Stage.ASSEMBLE)
    again = worker.work(job.id)
    # Then each run has its revision, and the line is mended in both
    assert (mended.revision, again.revision) == (2, 3)
    for revision, mends in ((1, False), (2, True), (3, True)):
        assert ("Buen día." in worker.result(job.id, "translation.txt", revision).decode()) == mends


def test_a_pair_without_a_model_is_refused_as_for_a_longer_text(worker: OneWorker) -> None:
    with pytest.raises(InputError) as longer:
        worker.submit(NewJob(JobType.TRANSLATE, "en", "en"), TEXT)
    with pytest.raises(InputError) as piece:
        worker.submit_piece(NewJob(JobType.TRANSLATE, "en", "en"), TEXT)
    assert (piece.value.code, piece.value.message) == (longer.value.code, longer.value.message)
