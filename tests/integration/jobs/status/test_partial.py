"""What is left of jobs that did not come to their end, over both databases."""

import pytest

from octavia.errors import NotFound
from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol import cancel
from octavia.jobs.status import partial
from octavia.jobs.tables.states import Stage
from tests.integration.jobs.steps import HOPELESS, Steps


def test_what_finished_chunks_left_is_shown_once_the_job_is_over(steps: Steps) -> None:
    # Given a job of two chunks, of which one is recognised
    job, messages = steps.prepared(2)
    one, two = messages
    steps.do(one, messages[one])
    # Then nothing is shown while it is under way
    assert partial.artifacts(steps.db, job.id) == ()
    # When it is canceled, then what was recognised is, and not what was prepared
    cancel.cancel(steps.db, job.id, "local")
    (left,) = partial.artifacts(steps.db, job.id)
    assert (left.name, left.partial) == (f"partial/transcribe/{one.chunk:04d}/result.json", True)
    assert partial.artifact(steps.db, job.id, left.name) == left
    with pytest.raises(NotFound) as caught:
        partial.artifact(steps.db, job.id, f"partial/transcribe/{two.chunk:04d}/result.json")
    assert caught.value.code == "artifact_not_found"
    # When it runs again, then it is not
    submit.retry(steps.db, job.id, "local")
    assert partial.artifacts(steps.db, job.id) == ()


def test_of_each_stage_the_newest_counts(steps: Steps) -> None:
    # Given a completed job that is redone from its translation, which fails
    job = steps.submit()
    steps.run_out(chunks=1)
    submit.retry(steps.db, job.id, "local", from_stage=Stage.TRANSLATE)
    (translate,) = steps.deliver()
    steps.fail(steps.claim(translate), HOPELESS)
    # Then only the first run's transcript is left, for its translation would be overtaken
    assert [left.name for left in partial.artifacts(steps.db, job.id)] == ["partial/transcribe/0000/result.json"]
