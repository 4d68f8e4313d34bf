"""A job's events as server-sent events, over a real server."""

import json
import threading
import time
from datetime import UTC, datetime
from uuid import UUID, uuid4

import anyio
import anyio.to_thread
import httpx
from httpx_sse import ServerSentEvent, aconnect_sse, connect_sse

from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol import cancel
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.states import JobType
from octavia.settings import Settings
from tests.integration.api.live.conftest import on_sqlite
from tests.integration.api.server import RawClient, Server
from tests.integration.jobs.steps import HOPELESS, MEDIA, Steps
from tests.support.waiting import until


def url(job_id: UUID) -> str:
    return f"/api/v1/jobs/{job_id}/events"


def watched(server: Server) -> bool:
    return not server.hub.idle


def ids(events: list[ServerSentEvent]) -> list[int]:
    return [int(event.id) for event in events]


def read(http: httpx.Client, job_id: UUID, **headers: str) -> list[ServerSentEvent]:
    """Every event until the stream ends."""
    with connect_sse(http, "GET", url(job_id), headers=headers) as source:
        return list(source.iter_sse())


def test_a_jobs_life_is_told_while_it_happens(server: Server, http: httpx.Client, steps: Steps) -> None:
    # Given somebody who watches a job that has just been submitted
    job = steps.submit(JobType.TRANSCRIBE)
    with connect_sse(http, "GET", url(job.id)) as source:
        headers = source.response.headers
        events = source.iter_sse()
        seen = [next(events)]
        # When it is worked on
        steps.run_out()
        # Then the client hears all of it, and the stream ends with it
        seen += events
    assert ids(seen) == list(range(1, steps.job(job.id).event_seq + 1))
    stored = steps.events(job.id)
    assert [(event.event, event.json()) for event in seen] == [(event.type, event.data) for event in stored]
    assert seen[-1].event == "completed"
    assert [event.retry for event in seen] == [2000] + [None] * (len(seen) - 1)
    # And nothing between keeps it back
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"] == "no-store"
    assert headers["x-accel-buffering"] == "no"


def test_a_client_goes_on_where_it_left_off(http: httpx.Client, steps: Steps) -> None:
    # Given a job that has failed
    job = steps.submit()
    (ref,) = steps.deliver()
    steps.fail(steps.claim(ref), HOPELESS)
    newest = steps.job(job.id).event_seq
    # When a client comes again that has some of its events, Then it gets the others and the stream ends
    for after in (0, 3):
        assert ids(read(http, job.id, **{"Last-Event-ID": str(after)})) == list(range(after + 1, newest + 1))
        with connect_sse(http, "GET", f"{url(job.id)}?after={after}") as source:
            assert ids(list(source.iter_sse())) == list(range(after + 1, newest + 1))
    # When it has all of them, Then it is told to stop
    done = http.get(url(job.id), headers={"Last-Event-ID": str(newest)})
    assert (done.status_code, done.content) == (204, b"")


def test_a_job_that_is_run_again_goes_on(http: httpx.Client, steps: Steps) -> None:
    # Given a job that failed and was started again
    job = steps.submit(JobType.TRANSCRIBE)
    (ref,) = steps.deliver()
    steps.fail(steps.claim(ref), HOPELESS)
    submit.retry(steps.db, job.id, "local")
    with connect_sse(http, "GET", url(job.id)) as source:
        events = source.iter_sse()
        before = [next(events) for _ in range(steps.job(job.id).event_seq)]
        assert [event.event for event in before][-2:] == ["failed", "queued"]
        # When the new run completes, Then the stream ends with that
        steps.run_out()
        assert list(events)[-1].event == "completed"


@on_sqlite
def test_an_invalid_last_event_id_is_refused(http: httpx.Client, steps: Steps) -> None:
    job = steps.submit()
    for given in ("abc", "-1", "999999", "1.5", "\u00b2"):
        answer = http.get(url(job.id), headers={"Last-Event-ID": given.encode("latin-1")})
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.json()["code"], answer.json()["field"]) == ("invalid_event_id", "Last-Event-ID")


@on_sqlite
def test_only_the_owner_may_watch(http: httpx.Client, steps: Steps) -> None:
    theirs = submit.create(steps.db, NewJob(JobType.TRANSCRIBE, "en", owner="somebody", input=dict(MEDIA)))
    for job_id in (theirs.id, uuid4()):
        answer = http.get(url(job_id))
        assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")
    assert http.get("/api/v1/jobs/7/events").json()["code"] == "invalid_job_id"


@on_sqlite
def test_head_answers_and_streams_nothing(server: Server, http: httpx.Client, steps: Steps) -> None:
    answer = http.head(url(steps.submit().id))
    assert (answer.status_code, answer.content) == (200, b"")
    assert not watched(server)


@on_sqlite
def test_an_idle_stream_sends_heartbeats(server: Server, http: httpx.Client, steps: Steps) -> None:
    server.hub.heartbeat_seconds = 0.05
    job = steps.submit()
    with http.stream("GET", url(job.id)) as answer:
        lines = answer.iter_lines()
        for _ in range(3):
            while next(lines) != ": still here":
                pass
        # And a client takes none of them for an event
        steps.emit(job.id)
        assert next(line for line in lines if line.startswith("id")) == "id: 2"
    steps.emit(job.id)
    with connect_sse(http, "GET", url(job.id)) as source:
        events = source.iter_sse()
        seen = [next(events) for _ in range(3)]
        time.sleep(0.2)
        steps.emit(job.id)
        assert ids([*seen, next(events)]) == [1, 2, 3, 4]


def test_a_deleted_job_ends_the_stream(server: Server, http: httpx.Client, steps: Steps) -> None:
    server.hub.poll_seconds = 0.1
    job = steps.submit()
    with connect_sse(http, "GET", url(job.id)) as source:
        events = source.iter_sse()
        assert next(events).event == "queued"
        steps.change_job(job.id, deleted_at=datetime.now(UTC))
        assert list(events) == []
    assert http.get(url(job.id)).status_code == 404


def test_a_hundred_watch_one_job(server: Server, steps: Steps) -> None:
    # Given a hundred clients of one job, all of whom have had its first event
    job = steps.submit()
    context = server.app.state.context
    got: list[list[int]] = []

    async def watch(client: httpx.AsyncClient, ready: anyio.Semaphore) -> None:
        async with aconnect_sse(client, "GET", url(job.id)) as source:
            seen = []
            async for event in source.aiter_sse():
                seen.append(int(event.id))
                ready.release()
            got.append(seen)

    async def act() -> None:
        limits = httpx.Limits(max_connections=200)
        ready = anyio.Semaphore(0)
        async with (
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=30, limits=limits) as client,
            anyio.create_task_group() as tasks,
        ):
            for _ in range(100):
                tasks.start_soon(watch, client, ready)
            for _ in range(100):
                await ready.acquire()
            # Then none of them holds a thread or a connection, but for the moment in which the hub looks for all of
            # them, and one reader serves them
            pool, threads = context.database.engine.pool, context._database_threads
            await anyio.to_thread.run_sync(until, lambda: pool.checkedout() == threads.borrowed_tokens == 0)
            assert len(server.hub._channels) == 1
            # When more happens, Then all hear of it
            await anyio.to_thread.run_sync(steps.emit, job.id, 5)
            await anyio.to_thread.run_sync(cancel_job, steps, job.id)

    anyio.run(act)
    assert got == [list(range(1, 8))] * 100
    until(lambda: server.hub.idle)


def cancel_job(steps: Steps, job_id: UUID) -> None:
    cancel.cancel(steps.db, job_id, "local")


def test_clients_that_leave_leave_nothing(server: Server, http: httpx.Client, steps: Steps) -> None:
    # Given clients that watch jobs, some of which are told something just now
    jobs = [steps.submit() for _ in range(10)]
    clients = [RawClient(server.port) for _ in jobs]
    for client, job in zip(clients, jobs, strict=True):
        client.send(f"GET {url(job.id)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    until(lambda: len(server.hub._channels) == 10)
    # When all break off
    for client, job in zip(clients, jobs, strict=True):
        steps.emit(job.id)
        client.reset()
    # Then nobody is waited for
    until(lambda: not watched(server))


def test_a_slow_reader_does_not_delay_others(server: Server, http: httpx.Client, steps: Steps) -> None:
    # Given a client that does not read, and one that does
    job = steps.submit()
    slow = RawClient(server.port)
    slow.send(f"GET {url(job.id)} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    until(lambda: watched(server))
    with connect_sse(http, "GET", url(job.id)) as source:
        events = source.iter_sse()
        next(events)
        # When much happens, far more than the buffers between take
        batches, size = 20, 20
        for _ in range(batches):
            steps.emit(job.id, size, text="x" * 40_000)
        # Then the one gets it at once
        assert ids([next(events) for _ in range(batches * size)])[-1] == batches * size + 1
    cancel_job(steps, job.id)
    # And the other all of it, in order, when it reads
    with slow:
        lines = slow.answer().splitlines()
    assert [int(line[4:]) for line in lines if line.startswith("id: ")] == list(range(1, batches * size + 3))


@on_sqlite
def test_events_are_json_on_one_line(http: httpx.Client, steps: Steps) -> None:
    job = steps.submit()
    text = 'one\ntwo\r\n¡Hola! "quoted" \u2028 👋'
    steps.emit(job.id, text=text)
    cancel_job(steps, job.id)
    raw = http.get(url(job.id)).text
    (line,) = [line for line in raw.split("\n") if "Hola" in line]
    assert json.loads(line.removeprefix("data: ")) == {"text": text}
    assert read(http, job.id)[1].json() == {"text": text}


def test_a_server_that_stops_ends_its_streams(settings: Settings, steps: Steps) -> None:
    # Given somebody who watches, somebody who waits, and nothing that happens
    job = steps.submit(input=MEDIA | {"filename": "a.wav", "media_type": "audio/wav", "size": "1", "sha256": "0"})
    seen: list[ServerSentEvent] = []
    ended: dict[str, object] = {}
    with Server(settings) as server:
        base = f"http://127.0.0.1:{server.port}"

        def watch() -> None:
            with httpx.Client(base_url=base, timeout=30) as client, connect_sse(client, "GET", url(job.id)) as source:
                for event in source.iter_sse():
                    seen.append(event)
                ended["watched"] = ids(seen)

        def wait() -> None:
            answer = httpx.post(f"{base}/api/v1/jobs/{job.id}/process", headers={"prefer": "wait=60"}, timeout=90)
            ended["waited"] = (answer.status_code, answer.json()["status"])

        threads = [threading.Thread(target=act) for act in (watch, wait)]
        for thread in threads:
            thread.start()
        until(lambda: seen and any(channel.watchers == 2 for channel in server.hub._channels.values()))
        # When the server stops
        began = time.monotonic()
    # Then both end well, and soon: long before requests would have had their time, or one of the two has waited enough
    assert time.monotonic() - began < 20
    for thread in threads:
        thread.join(10)
    assert ended == {"watched": [1], "waited": (202, "queued")}
