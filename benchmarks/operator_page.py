"""The operator's page over a full table, in a real browser: its first useful paint, filters, and its slowest request.

Over the database and broker that the environment's OCTAVIA_… settings name, which should be fresh ones. No workers run;
their rows are made up, as are the jobs.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import sqlalchemy as sa
from playwright.sync_api import BrowserContext, Page, sync_playwright
from sqlmodel import col
from uuid_utils.compat import uuid7

from benchmarks.filling import filled
from benchmarks.server import Server, served
from benchmarks.spread import report
from octavia.jobs.access import keys
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.operation_rows import Attempt
from octavia.jobs.tables.rows import Task, Worker
from octavia.jobs.tables.states import AttemptOutcome, JobStatus, Queue, Stage

_FILTERS = (
    "status:failed",
    "owner:owner-7",
    "owner:owner-7 status:failed",
    "code:not_media",
    "meta.reel:42",
    "type:transcribe status:queued",
    "age:<1h",
    "owner:nobody",
)
_VIEWS = ("overview", "overview?window=24h", "jobs", "workers", "failures", "dead-letters", "maintenance", "actions")
_BATCH = 5_000


def main() -> None:
    """Run the measurements and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000, help="jobs in the table")
    parser.add_argument("--workers", type=int, default=50, help="workers that are listed")
    parser.add_argument("--runs", type=int, default=5, help="visits, and tries of each filter")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser")
    arguments = parser.parse_args()
    with (
        served() as server,
        filled(server.database, arguments.jobs, _vary) as jobs,
        _attempted(server.database, jobs),
        _workers(server.database, arguments.workers),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox"])
        context = browser.new_context()
        _sign_in(server, context)
        _measure(server, context.new_page(), arguments.runs)
        browser.close()


def _measure(server: Server, page: Page, runs: int) -> None:
    page.goto(f"{server.url}/operator")  # warm: the server has read its files and opened its connections
    page.get_by_role("table", name="Queues").wait_for()
    paints, slowest = [], [(0.0, "")]
    for _ in range(runs):
        page.goto("about:blank")
        began = time.perf_counter()
        page.goto(f"{server.url}/operator", wait_until="commit")
        page.get_by_role("table", name="Queues").wait_for()
        paints.append(time.perf_counter() - began)
    report("first useful paint", paints)
    for _ in range(runs):
        for view in _VIEWS:
            page.goto(f"{server.url}/operator#/{view}")
            page.get_by_role("heading", level=1).wait_for()
            page.get_by_text("Loading …").first.wait_for(state="detached")
            page.wait_for_timeout(500)
            slowest.append(_slowest(page))
    page.goto(f"{server.url}/operator#/jobs")
    answers = []
    for _ in range(runs):
        for text in _FILTERS:
            field = page.get_by_role("combobox", name="Filter")
            field.fill(text)
            with page.expect_response(
                lambda answer: "/operator/jobs?" in answer.url and "filter=" in answer.url
            ) as got:
                field.press("Enter")
            got.value.finished()
            answers.append(got.value.request.timing["responseEnd"] / 1000)
            slowest.append(_slowest(page))
    report("filter answers", answers)
    seconds, url = max(slowest)
    print(f"slowest request: {seconds * 1000:.0f} ms, {url.removeprefix(server.url)}")


def _slowest(page: Page) -> tuple[float, str]:
    """The longest request since the last call, without the stream of events."""
    entries = page.evaluate(
        "() => { const all = performance.getEntriesByType('resource').map(({ name, duration }) => [duration, name]);"
        " performance.clearResourceTimings(); return all }"
    )
    return max(((duration / 1000, name) for duration, name in entries if "/events" not in name), default=(0.0, ""))


def _sign_in(server: Server, context: BrowserContext) -> None:
    _, key = keys.create(server.database, "bench", owner="bench", scopes=[Scope.OPERATE, Scope.OPERATE_WRITE])
    answer = httpx.post(f"{server.url}/api/v1/session", json={"key": key}, headers={"origin": server.url})
    answer.raise_for_status()
    context.add_cookies([{"name": name, "value": value, "url": server.url} for name, value in answer.cookies.items()])


def _vary(number: int) -> dict[str, object]:
    """Jobs of many owners over a day; one in twenty has failed."""
    ended = datetime.now(UTC) - timedelta(seconds=number * 86_400 / 100_000)
    varied: dict[str, object] = {
        "owner": f"owner-{number % 40}",
        "meta": {"reel": number % 500},
        "created_at": ended - timedelta(seconds=60),
        "started_at": ended - timedelta(seconds=30),
        "finished_at": ended,
        "error_code": None,
        "error_message": None,
    }
    if number % 50 == 0:
        return varied | {"started_at": None, "finished_at": None}
    if number % 20 == 1:
        failure = {"error_code": ("not_media", "worker_lost")[number % 40 == 1], "error_message": "It has no sound."}
        return varied | failure | {"status": JobStatus.FAILED}
    return varied


@contextmanager
def _attempted(database: Database, jobs: list[UUID]) -> Iterator[None]:
    """An attempt of the task of each job; they go with their jobs."""
    with database.transaction() as session:
        tasks = session.execute(sa.select(col(Task.id), col(Task.job_id)).where(col(Task.job_id).in_(jobs[:20_000])))
        rows = [_attempt(task, job, number) for number, (task, job) in enumerate(tasks)]
        for begin in range(0, len(rows), _BATCH):
            session.execute(sa.insert(Attempt), rows[begin : begin + _BATCH])
        session.execute(sa.text("ANALYZE"))
    yield


def _attempt(task: UUID, job: UUID, number: int) -> dict[str, object]:
    ended = datetime.now(UTC) - timedelta(seconds=number * 86_400 / 20_000)
    return {
        "task_id": task,
        "number": 1,
        "job_id": job,
        "stage": list(Stage)[number % len(Stage)],
        "worker": f"host-{number % 5}:{number % 10}",
        "queued_at": ended - timedelta(seconds=9),
        "started_at": ended - timedelta(seconds=1 + number % 7),
        "ended_at": ended,
        "outcome": AttemptOutcome.COMPLETED,
        "error_code": None,
        "error_message": None,
    }


@contextmanager
def _workers(database: Database, amount: int) -> Iterator[None]:
    made = f"bench-{uuid7().hex[-8:]}"
    soon = datetime.now(UTC) + timedelta(hours=1)
    with database.transaction() as session:
        for number in range(amount):
            queue, host = list(Queue)[number % len(Queue)], f"{made}-{number % 5}"
            id_ = f"{host}:{number}"
            session.add(Worker(id=id_, host=host, pid=1000 + number, queues=queue, memory=10**9, seen_at=soon))
    yield
    with database.transaction() as session:
        session.execute(sa.delete(Worker).where(col(Worker.host).startswith(made)))


if __name__ == "__main__":
    main()
