"""Waiting for a job's end, by far more clients than there are connections and threads."""

import time
from datetime import UTC, datetime

import anyio
import anyio.to_thread
import httpx
import pytest
from starlette.requests import Request

from octavia.api.http.identity import Principal
from octavia.api.live.waiting import until_ended
from octavia.errors import NotFound
from octavia.jobs.protocol import cancel
from tests.integration.api.live.conftest import on_postgres, on_sqlite
from tests.integration.api.server import Server
from tests.integration.jobs.steps import MEDIA, Steps
from tests.support.waiting import until

INPUT = MEDIA | {"filename": "a.wav", "media_type": "audio/wav", "size": "1", "sha256": "0"}
CLIENTS = 200


@on_postgres
def test_two_hundred_wait_and_everybody_else_is_served(server: Server, steps: Steps) -> None:
    # Given two hundred clients that wait for a job
    job = steps.submit(input=INPUT)
    context = server.app.state.context
    statuses: list[str] = []

    async def wait(client: httpx.AsyncClient) -> None:
        answer = await client.post(f"/api/v1/jobs/{job.id}/process", headers={"prefer": "wait=60"})
        statuses.append(answer.json()["status"])

    async def act() -> None:
        limits = httpx.Limits(max_connections=CLIENTS + 1)
        base = f"http://127.0.0.1:{server.port}"
        async with httpx.AsyncClient(base_url=base, timeout=60, limits=limits) as client:
            async with anyio.create_task_group() as tasks:
                for _ in range(CLIENTS):
                    tasks.start_soon(wait, client)
                channels = server.hub._channels
                await anyio.to_thread.run_sync(
                    until, lambda: job.id in channels and channels[job.id].watchers == CLIENTS, 40
                )
                # Then they hold neither connections nor threads, but for the moment in which the hub looks for all of
                # them, and somebody else is served while they all wait
                pool, threads = context.database.engine.pool, context._database_threads
                await anyio.to_thread.run_sync(until, lambda: pool.checkedout() == threads.borrowed_tokens == 0)
                assert (await client.get(f"/api/v1/jobs/{job.id}")).status_code == 200
                assert statuses == []
                # When the job ends
                await anyio.to_thread.run_sync(lambda: cancel.cancel(steps.db, job.id, "local"))
                began = time.monotonic()
            # Then all of them hear it, long before they would have waited enough
            assert time.monotonic() - began < 20

    anyio.run(act)
    assert statuses == ["canceled"] * CLIENTS
    until(lambda: server.hub.idle)


@on_sqlite
def test_a_client_that_leaves_waits_no_longer(server: Server, http: httpx.Client, steps: Steps) -> None:
    job = steps.submit(input=INPUT)
    with pytest.raises(httpx.ReadTimeout):
        http.post(f"/api/v1/jobs/{job.id}/process", headers={"prefer": "wait=60"}, timeout=0.5)
    until(lambda: server.hub.idle)


@on_sqlite
def test_waiting_ends_after_the_preferred_seconds(http: httpx.Client, steps: Steps) -> None:
    job = steps.submit(input=INPUT)
    began = time.monotonic()
    answer = http.post(f"/api/v1/jobs/{job.id}/process", headers={"prefer": "wait=1"})
    # Then it answers after this one second, and not after the longest time that may be waited
    assert 0.9 < time.monotonic() - began < 30
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")


@on_sqlite
def test_a_job_that_is_deleted_is_not_waited_for(server: Server, http: httpx.Client, steps: Steps) -> None:
    server.hub.poll_seconds = 0.1
    job = steps.submit(input=INPUT)

    async def act() -> None:
        async with anyio.create_task_group() as tasks, httpx.AsyncClient(base_url=http.base_url) as client:

            async def wait() -> None:
                answer = await client.post(f"/api/v1/jobs/{job.id}/process", headers={"prefer": "wait=60"}, timeout=60)
                assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")
                tasks.cancel_scope.cancel()

            tasks.start_soon(wait)
            await anyio.sleep(0.3)
            await anyio.to_thread.run_sync(lambda: steps.change_job(job.id, deleted_at=datetime.now(UTC)))
            await anyio.sleep(20)
            raise AssertionError("it waits on")

    anyio.run(act)


@on_sqlite
def test_until_ended_returns_a_job_that_has_ended_at_once(server: Server, steps: Steps) -> None:
    # Given a job that has ended, and a client of another owner
    job = steps.submit()
    cancel.cancel(steps.db, job.id, "local")

    def request(owner: str) -> Request:
        return Request({"type": "http", "app": server.app, "state": {"principal": Principal(owner, frozenset())}})

    async def act() -> None:
        with anyio.fail_after(5):
            assert (await until_ended(request("local"), job.id, 60)).status.ended
            with pytest.raises(NotFound):
                await until_ended(request("somebody"), job.id, 60)

    anyio.run(act)
