"""What operators look at beside jobs: the overview, workers, statistics, failures, and completion of filters."""

from uuid import UUID

import pytest
from starlette.testclient import TestClient

from octavia import __version__
from octavia.jobs.access.keys import Scope
from octavia.jobs.status import workers
from octavia.jobs.tables.states import Queue
from tests.integration.api.keyed import Keyed
from tests.integration.api.operator.test_actions import failed_job
from tests.integration.api.operator.test_jobs import new_job
from tests.integration.jobs.steps import HOPELESS, Steps

OPERATOR = "/api/v1/operator"


def test_the_overview_counts(client: TestClient, steps: Steps) -> None:
    # Given a failed job, one that waits, one of another owner, and a worker without work
    failed_job(steps)
    new_job(steps)
    new_job(steps, "ann")
    workers.mark_seen(steps.db, "h:1:0", "h", 1, [Queue.DEFAULT], None, 100)
    # When an operator looks, Then all is counted, but for what another owner has
    seen = client.get(f"{OPERATOR}/overview").json()
    assert {status: count for status, count in seen["jobs"].items() if count} == {"failed": 1, "queued": 1}
    assert seen["workers"] == {"working": 0, "idle": 1, "paused": 0, "draining": 0, "failing": 0, "lost": 0}
    assert seen["outbox"]["waiting"] == 2
    assert seen["outbox"]["oldest_seconds"] >= 0
    assert [queue["name"] for queue in seen["queues"]] == list(Queue)
    assert (seen["release"], seen["broker"], seen["dead_letters"]) == (__version__, "embedded", None)
    assert seen["database"] == ("sqlite" if steps.db.url.get_backend_name() == "sqlite" else "postgresql")


def test_a_worker_is_shown_with_its_task(keyed: Keyed, client: TestClient, steps: Steps) -> None:
    # Given a worker with a job of Ann, and one that ends whenever it is started
    job_id = new_job(steps, "ann")
    (prepare,) = steps.deliver()
    claim = steps.claim(prepare, "h:1:0")
    workers.mark_seen(steps.db, "h:1:0", "h", 1, [Queue.DEFAULT], claim.task_id, 100)
    workers.mark_seen(steps.db, "h:failing", "h", 0, [], None, 0)
    # When an operator lists workers
    working, failing = keyed.client("root", [Scope.OPERATE]).get(f"{OPERATOR}/workers").json()["workers"]
    # Then it sees what each does
    assert (working["id"], working["host"], working["pid"], working["queues"]) == ("h:1:0", "h", 1, ["default"])
    assert (working["state"], working["release"], working["memory_bytes"]) == ("working", __version__, 100)
    assert (working["task"]["job_id"], working["task"]["stage"], working["task"]["attempt"]) == (job_id, "prepare", 1)
    assert (failing["state"], failing["task"]) == ("failing", None)
    # And a client without a key sees that it works, but not for whom
    assert [(one["state"], one["task"]) for one in client.get(f"{OPERATOR}/workers").json()["workers"]] == [
        ("working", None),
        ("failing", None),
    ]


@pytest.mark.parametrize(("window", "steps_", "seconds"), [("1h", 60, 60), ("24h", 48, 1800)])
def test_statistics_count_what_was_done(
    client: TestClient, steps: Steps, window: str, steps_: int, seconds: int
) -> None:
    # Given a job that completed a stage, and one that failed
    new_job(steps)
    (prepare,) = steps.deliver()
    steps.do(prepare)
    for ref in steps.deliver():
        steps.fail(steps.claim(ref), HOPELESS)
    # When an operator asks for a window
    found = client.get(f"{OPERATOR}/statistics", params={"window": window}).json()
    # Then every series has a value for each step, and the work lies in the newest
    assert (found["step_seconds"], len(found["times"])) == (seconds, steps_)
    assert found["from"] == found["times"][0] < found["times"][-1] <= found["to"]
    every = [series for group in ("stages", "queues") for one in found[group].values() for series in one.values()]
    assert {len(series) for series in [*every, *found["jobs"].values()]} == {steps_}
    prepared = found["stages"]["prepare"]
    assert sum(prepared["completed"]) == 1
    (took,) = [value for value in prepared["p95"] if value is not None]
    assert 0 <= took < 60
    assert sum(found["jobs"]["failed"]) == 1
    # And the failure is found by its code, with the job to look into
    (code,) = client.get(f"{OPERATOR}/failures", params={"window": window}).json()["codes"]
    assert (code["code"], code["count"]) == (HOPELESS.code, 1)
    assert code["samples"][0]["message"] == HOPELESS.message
    assert UUID(code["samples"][0]["job_id"])


def test_an_unknown_window_is_refused(client: TestClient) -> None:
    for path in ("statistics", "failures"):
        answer = client.get(f"{OPERATOR}/{path}", params={"window": "2h"})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_field")


COMPLETED: tuple[tuple[str, dict[str, list[str] | None]], ...] = (
    ("sta", {"status": ["pending", "queued", "processing", "completed", "failed", "canceled"], "stage": None}),
    ("-status:F", {"status": ["failed"]}),
    ("status:failed,ca", {"status": ["canceled"]}),
    ("meta", {"meta.customer": []}),
    ("meta.customer:4", {"meta.customer": ["42"]}),
    ("owner:", {"owner": ["local"]}),
    ("code:", {"code": [HOPELESS.code]}),
    ("nothing:", {}),
    ("nothing", {}),
    ("language:", {"language": ["en", "es"]}),
    ("worker:h", {"worker": ["h", "h:1:0"]}),
)


def test_a_filter_is_completed(client: TestClient, steps: Steps) -> None:
    # Given a job with metadata, a failed one, one of another owner, and a worker
    new_job(steps, customer=42)
    steps.deliver()
    failed_job(steps)
    new_job(steps, "ann", customer=43)
    workers.mark_seen(steps.db, "h:1:0", "h", 1, [Queue.DEFAULT], None, 100)
    for prefix, words in COMPLETED:
        # When an operator types, Then what goes on so is suggested
        found = client.get(f"{OPERATOR}/filter-words", params={"prefix": prefix}).json()["words"]
        assert {one["word"] for one in found} == words.keys(), prefix
        assert all(words[one["word"]] in (None, one["values"]) for one in found), prefix
