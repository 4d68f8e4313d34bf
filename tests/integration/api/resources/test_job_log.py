"""A job's log over HTTP: for its owner, with less of the machines than operators see."""

from typing import Any
from uuid import UUID

from starlette.testclient import TestClient

from octavia.jobs.access.keys import Scope
from tests.integration.api.keyed import BOTH, Keyed
from tests.integration.jobs.steps import FLAKY, Steps

JOBS = "/api/v1/jobs"
TEXT = {"type": "translate", "text": "Good morning.", "source_language": "en", "target_language": "es"}
WORKER = "inner-host.example:4711:default-0.ab12cd"


def failed_once(client: TestClient, steps: Steps) -> str:
    """The id of a job whose first task failed once."""
    job = client.post(JOBS, json=TEXT).json()
    (ref,) = [ref for ref in steps.deliver() if ref.job_id == UUID(job["id"])]
    steps.fail(steps.claim(ref, WORKER), FLAKY)
    return str(job["id"])


def attempt_in(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    (found,) = [entry for entry in answer.json()["entries"] if entry["what"] == "attempt"]
    return dict(found)


def test_an_owner_sees_what_happened_and_not_on_which_machine(keyed: Keyed, steps: Steps) -> None:
    # Given a job of an owner
    ann = keyed.client("ann")
    job_id = failed_once(ann, steps)
    # When the owner reads its log
    answer = ann.get(f"{JOBS}/{job_id}/log")
    # Then it has the attempt, and nothing of the host
    attempt = attempt_in(answer)
    assert (attempt["stage"], attempt["attempt"], attempt["status"]) == ("translate", 1, "retrying")
    assert attempt["error"] == {"code": "task_failed", "message": "It went wrong.", "hint": ""}
    assert attempt["seconds"] >= 0
    assert attempt["worker"] == "default-0.ab12cd"
    assert attempt["host"] is None
    assert "inner-host" not in answer.text
    assert "4711" not in answer.text
    # and others do not find the job
    assert keyed.client("bob").get(f"{JOBS}/{job_id}/log").status_code == 404
    assert keyed.client("ann", (Scope.WRITE,)).get(f"{JOBS}/{job_id}/log").status_code == 403


def test_an_operator_sees_the_machine_and_the_jobs_of_all(keyed: Keyed, steps: Steps) -> None:
    job_id = failed_once(keyed.client("ann"), steps)
    operator = keyed.client("root", (*BOTH, Scope.OPERATE))
    attempt = attempt_in(operator.get(f"{JOBS}/{job_id}/log"))
    assert (attempt["host"], attempt["pid"]) == ("inner-host.example", 4711)


def test_it_is_read_in_pages(client: TestClient, steps: Steps) -> None:
    job_id = failed_once(client, steps)
    whole = client.get(f"{JOBS}/{job_id}/log").json()
    assert [entry["what"] for entry in whole["entries"]] == ["submitted", "queued", "attempt"]
    assert whole["next_cursor"] is None
    first = client.get(f"{JOBS}/{job_id}/log", params={"limit": 2}).json()
    rest = client.get(f"{JOBS}/{job_id}/log", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert first["entries"] + rest["entries"] == whole["entries"]
    assert rest["next_cursor"] is None


def test_wrong_questions_are_refused_as_elsewhere(client: TestClient, steps: Steps) -> None:
    job_id = failed_once(client, steps)
    for query, code in (("limit=0", "invalid_field"), ("limit=1001", "invalid_field"), ("page=2", "unknown_field")):
        answer = client.get(f"{JOBS}/{job_id}/log?{query}")
        assert answer.is_client_error
        assert answer.json()["code"] == code
    assert client.get(f"{JOBS}/{job_id}/log?cursor=a").json()["code"] == "invalid_cursor"
    assert client.get(f"{JOBS}/nonsense/log").json()["code"] == "invalid_job_id"
    client.delete(f"{JOBS}/{job_id}")
    assert client.get(f"{JOBS}/{job_id}/log").json()["code"] == "job_not_found"
