"""``/operator/jobs``: who may read it, what it shows, and how it refuses filters."""

import json

from starlette.testclient import TestClient

from octavia.jobs.access.keys import Scope
from octavia.jobs.lifecycle import submit
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.states import JobType, Stage
from tests.integration.api.keyed import Keyed
from tests.integration.jobs.steps import HOPELESS, Steps

JOBS = "/api/v1/operator/jobs"
HTML = '<img src=x onerror="alert(1)">.wav'


def new_job(steps: Steps, owner: str = "local", name: str = "a.wav", **meta: object) -> str:
    given = {"kind": "media", "key": "jobs/x/input/a.wav", "filename": name}
    return str(submit.create(steps.db, NewJob(JobType.DUB, "en", "es", input=given, owner=owner, meta=meta)).id)


def test_an_operator_sees_the_jobs_of_all_owners(keyed: Keyed, steps: Steps) -> None:
    # Given jobs of two owners, and a key to operate that belongs to neither
    anns, bobs = new_job(steps, "ann"), new_job(steps, "bob")
    client = keyed.client("root", [Scope.OPERATE])
    # When it lists them, or one owner's, Then it sees them, the newest first
    answer = client.get(JOBS)
    assert (answer.status_code, answer.json()["total"], answer.json()["capped"]) == (200, 2, False)
    assert [job["id"] for job in answer.json()["jobs"]] == [bobs, anns]
    assert [job["id"] for job in client.get(JOBS, params={"filter": "owner:ann"}).json()["jobs"]] == [anns]
    assert client.get(f"{JOBS}/{anns}").json()["owner"] == "ann"


def test_a_plain_key_may_not_read_them(keyed: Keyed, steps: Steps) -> None:
    # Given somebody's own job, and a key for all but operating
    job_id = new_job(steps, "ann")
    client = keyed.client("ann", [Scope.READ, Scope.WRITE, Scope.ADMIN])
    # When it asks as an operator would, Then it is refused
    for path in (JOBS, f"{JOBS}/{job_id}"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


def test_without_keys_nobody_sees_the_jobs_of_another_owner(client: TestClient, steps: Steps) -> None:
    # Given an API without keys, with a job of its client and one from a time with keys
    mine, anns = new_job(steps), new_job(steps, "ann")
    # When the client looks, Then there is only its own
    assert [job["id"] for job in client.get(JOBS).json()["jobs"]] == [mine]
    assert client.get(JOBS, params={"filter": "owner:ann"}).json()["total"] == 0
    assert client.get(JOBS, params={"filter": "-owner:local"}).json()["total"] == 0
    assert client.get(f"{JOBS}/{anns}").json()["code"] == "job_not_found"
    assert client.get(f"{JOBS}/{mine}").status_code == 200


def test_pages_follow_each_other(client: TestClient, steps: Steps) -> None:
    # Given three jobs that match and one that does not
    ids = [new_job(steps, name=f"talk {number}.wav") for number in range(3)]
    new_job(steps, name="song.wav")
    # When they are read one at a time, Then each comes once, and all count in every page
    seen, cursor = [], None
    while len(seen) < 5:
        query = {"filter": "talk", "limit": 1, **({"cursor": cursor} if cursor else {})}
        page = client.get(JOBS, params=query).json()
        assert page["total"] == 3
        seen += [job["id"] for job in page["jobs"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == ids[::-1]


def test_markup_in_names_and_metadata_stays_text(client: TestClient, steps: Steps) -> None:
    # Given a job whose file name and metadata are HTML
    job_id = new_job(steps, name=HTML, note=HTML)
    # When it is listed and shown, Then the answer is JSON that no browser takes for HTML, with the text as it was sent
    for path in (JOBS, f"{JOBS}/{job_id}"):
        answer = client.get(path)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        job = json.loads(answer.content).get("jobs", [answer.json()])[0]
        assert (job["name"], job["metadata"]) == (HTML, {"note": HTML})
    # And it can be looked for
    assert client.get(JOBS, params={"filter": json.dumps(HTML)}).json()["total"] == 1


BAD_QUERIES: tuple[tuple[dict[str, str], int, str, str], ...] = (
    ({"filter": "ownr:ann"}, 400, "unknown_filter_word", "ownr"),
    ({"filter": "status:bad"}, 400, "invalid_filter", "bad"),
    ({"filter": "x" * 1001}, 400, "invalid_filter", "1,001"),
    ({"filter": "a", "limit": "0"}, 422, "invalid_field", "limit"),
    ({"cursor": "nonsense!"}, 400, "invalid_cursor", "cursor"),
    ({"owner": "ann"}, 400, "unknown_field", "owner"),
)


def test_a_bad_query_is_explained(client: TestClient) -> None:
    for query, status, code, said in BAD_QUERIES:
        answer = client.get(JOBS, params=query)
        assert (answer.status_code, answer.json()["code"]) == (status, code), query
        assert said in answer.json()["detail"]
        assert answer.json()["hint"]


def test_the_details_tell_of_each_task(client: TestClient, steps: Steps) -> None:
    # Given a job whose first task has failed for good
    job_id = new_job(steps)
    (prepare,) = steps.deliver()
    steps.fail(steps.claim(prepare, "host1:7:0"), HOPELESS)
    # When an operator opens it
    job = client.get(f"{JOBS}/{job_id}").json()
    # Then it says what was tried, by whom, and why it failed
    assert (job["status"], job["attempts"], job["error"]["code"]) == ("failed", 1, HOPELESS.code)
    (task,) = job["tasks"]
    assert (task["stage"], task["status"], task["worker"]) == (Stage.PREPARE, "failed", "host1:7:0")
    assert (task["chunk"], task["error"]) == (-1, {"code": HOPELESS.code, "message": HOPELESS.message})
    assert job["tasks_complete"]
    assert job["log_url"] == f"/api/v1/jobs/{job_id}/log"
