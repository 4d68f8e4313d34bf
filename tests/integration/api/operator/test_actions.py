"""``/operator/actions``: counted first, carried out on what was counted, refused when that changed, written down."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from starlette.testclient import TestClient

from octavia.jobs.access.keys import Scope
from octavia.jobs.tables.states import JobStatus
from tests.integration.api.keyed import Keyed
from tests.integration.api.operator.test_jobs import new_job
from tests.integration.jobs.steps import HOPELESS, Steps, at_once

ACTIONS = "/api/v1/operator/actions"
BOTH = (Scope.OPERATE, Scope.OPERATE_WRITE)


def failed_job(steps: Steps, owner: str = "local") -> str:
    job_id = new_job(steps, owner)
    (prepare,) = steps.deliver()
    steps.fail(steps.claim(prepare), HOPELESS)
    return job_id


def status_of(steps: Steps, job_id: str) -> JobStatus:
    return steps.job(UUID(job_id)).status


def test_all_that_match_are_retried_after_they_were_counted(keyed: Keyed, steps: Steps) -> None:
    # Given failed jobs of one owner, and others
    anns = [failed_job(steps, "ann") for _ in range(3)]
    bobs = failed_job(steps, "bob")
    queued = new_job(steps, "ann")
    client = keyed.client("root", BOTH)
    order: dict[str, Any] = {"action": "retry", "filter": "owner:ann"}
    # When a dry run counts them, Then it changes nothing
    seen = client.post(ACTIONS, json={**order, "dry_run": True}).json()
    assert seen == {"count": 3, "skipped": 1, "sample": sorted(anns), "dry_run": True}
    assert {status_of(steps, job_id) for job_id in anns} == {JobStatus.FAILED}
    # And when that count is confirmed, Then these are retried and no others
    done = client.post(ACTIONS, json={**order, "expected": 3}).json()
    assert (done["count"], done["skipped"], done["remaining"]) == (3, [], 0)
    assert {status_of(steps, job_id) for job_id in [*anns, queued]} == {JobStatus.QUEUED}
    assert status_of(steps, bobs) is JobStatus.FAILED
    # And it is written down: who, when, what, how many
    (record,) = client.get(ACTIONS).json()["actions"]
    assert (record["id"], record["action"], record["target"], record["count"]) == (
        done["action_id"],
        "retry",
        "owner:ann",
        3,
    )
    assert record["by"].startswith("root (oct_")
    assert record["detail"] == {"skipped": 0, "remaining": 0}


def test_a_count_that_has_changed_is_refused_with_the_new_one(client: TestClient, steps: Steps) -> None:
    # Given a failed job that was counted, and one that failed since then
    job_id = failed_job(steps)
    order = {"action": "retry", "filter": "status:failed"}
    assert client.post(ACTIONS, json={**order, "dry_run": True}).json()["count"] == 1
    failed_job(steps)
    # When the count is confirmed, Then nothing is done, and the answer has the new count
    answer = client.post(ACTIONS, json={**order, "expected": 1})
    assert (answer.status_code, answer.json()["code"], answer.json()["count"]) == (409, "count_changed", 2)
    assert status_of(steps, job_id) is JobStatus.FAILED
    assert client.get(ACTIONS).json()["actions"] == []


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [("cancel", "queued", "canceled"), ("delete", "failed", "failed"), ("retry", "failed", "queued")],
)
def test_an_action_takes_effect_once(client: TestClient, steps: Steps, action: str, before: str, after: str) -> None:
    # Given jobs
    make = new_job if before == "queued" else failed_job
    ids = [make(steps) for _ in range(5)]
    order = {"action": action, "ids": ids}
    # When the same order comes twice at once
    answers = at_once(*(lambda: client.post(ACTIONS, json=order),) * 2)
    # Then each job is changed by one of them, and skipped by the other with a reason
    done = [answer.json() for answer in answers]  # type: ignore[union-attr]
    assert sum(one["count"] for one in done) == 5
    assert sum(len(one["skipped"]) for one in done) == 5
    assert {skipped["code"] for one in done for skipped in one["skipped"]} <= {"invalid_state", "job_not_found"}
    assert {status_of(steps, job_id) for job_id in ids} == {JobStatus(after)}
    # And a third one changes nothing
    assert client.post(ACTIONS, json=order).json()["count"] == 0
    # And all three are written down
    assert sorted(record["count"] for record in client.get(ACTIONS).json()["actions"])[:1] == [0]


def test_jobs_that_cannot_be_changed_are_named_with_the_reason(client: TestClient, steps: Steps) -> None:
    # Given a failed job, one that waits, and one that is not there
    failed, queued, missing = failed_job(steps), new_job(steps), str(uuid4())
    order = {"action": "retry", "ids": [failed, queued, missing, failed]}
    assert client.post(ACTIONS, json={**order, "dry_run": True}).json() == {
        "count": 1,
        "skipped": 2,
        "sample": [failed],
        "dry_run": True,
    }
    # When all are retried, Then one is, and the answer says why the others are not
    done = client.post(ACTIONS, json=order).json()
    assert done["count"] == 1
    assert {one["id"]: one["code"] for one in done["skipped"]} == {queued: "invalid_state", missing: "job_not_found"}


def test_without_keys_nobody_touches_the_jobs_of_another_owner(client: TestClient, steps: Steps) -> None:
    # Given the job of another owner, in an API without keys
    anns = new_job(steps, "ann")
    # When its client would cancel it, by filter or by id, Then it is not there
    assert client.post(ACTIONS, json={"action": "cancel", "filter": "", "dry_run": True}).json()["count"] == 0
    done = client.post(ACTIONS, json={"action": "cancel", "filter": "owner:ann", "expected": 0}).json()
    assert done["count"] == 0
    done = client.post(ACTIONS, json={"action": "cancel", "ids": [anns]}).json()
    assert (done["count"], done["skipped"][0]["code"]) == (0, "job_not_found")
    assert status_of(steps, anns) is JobStatus.QUEUED


def test_a_key_that_only_reads_changes_nothing(keyed: Keyed, steps: Steps) -> None:
    job_id = new_job(steps, "ann")
    for scopes in ([Scope.OPERATE], [Scope.READ, Scope.WRITE, Scope.ADMIN]):
        answer = keyed.client("ann", scopes).post(ACTIONS, json={"action": "cancel", "ids": [job_id]})
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    assert status_of(steps, job_id) is JobStatus.QUEUED


BAD_ORDERS: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({"action": "retry"}, "invalid_field", "filter"),
    ({"action": "retry", "filter": "", "ids": [str(uuid4())]}, "invalid_field", "filter"),
    ({"action": "retry", "filter": ""}, "missing_field", "expected"),
    ({"action": "retry", "filter": "ownr:x", "expected": 1}, "unknown_filter_word", "filter"),
    ({"action": "retry", "ids": []}, "invalid_field", "ids"),
    ({"action": "retry", "ids": ["x"]}, "invalid_field", "ids"),
    ({"action": "retry", "ids": [str(uuid4())], "priority": "high"}, "invalid_field", "priority"),
    ({"action": "prioritize", "ids": [str(uuid4())]}, "invalid_field", "priority"),
    ({"action": "burn", "ids": [str(uuid4())]}, "invalid_field", "action"),
    ({"action": "retry", "filter": "", "expected": -1}, "invalid_field", "expected"),
    ({"action": "retry", "jobs": []}, "unknown_field", "jobs"),
)


def test_a_bad_order_is_explained(client: TestClient) -> None:
    for order, code, field in BAD_ORDERS:
        answer = client.post(ACTIONS, json=order)
        assert (answer.json()["code"], answer.json()["field"]) == (code, field), order
        assert answer.json()["hint"]
