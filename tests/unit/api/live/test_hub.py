"""One reading for all who watch: in order, without gaps, and nothing kept for those who are slow or gone."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import anyio
import anyio.lowlevel
import pytest

from octavia.api.live.channel import KEPT
from octavia.api.live.hub import Hub, Watch
from octavia.errors import Unavailable
from octavia.jobs.status.watching import News
from octavia.jobs.tables.records import EventRecord

JOB = uuid4()
NEVER = 3600.0
OFTEN = 0.02


class Jobs:
    """Jobs in memory, which a hub reads; says how often it did."""

    def __init__(self) -> None:
        self.events: dict[UUID, list[EventRecord]] = {JOB: []}
        self.ended: set[UUID] = set()
        self.readings: list[set[UUID]] = []
        self.pages = 0
        self.away = False
        self.revoked: set[UUID] = set()

    def emit(self, job_id: UUID = JOB, amount: int = 1) -> None:
        for _ in range(amount):
            events = self.events.setdefault(job_id, [])
            events.append(EventRecord(job_id, len(events) + 1, "progress", {}, datetime.now(UTC)))

    async def news(self, known: Mapping[UUID, int], limit: int) -> dict[UUID, News]:
        await anyio.lowlevel.checkpoint()
        if self.away:
            raise Unavailable("away")
        self.readings.append(set(known))
        return {
            job_id: News(len(events), job_id in self.ended, tuple(events[max(known[job_id], len(events) - limit) :]))
            for job_id, events in self.events.items()
            if job_id in known
        }

    async def since(self, job_id: UUID, seq: int, limit: int) -> list[EventRecord]:
        await anyio.lowlevel.checkpoint()
        if self.away:
            raise Unavailable("away")
        self.pages += 1
        return self.events[job_id][seq : seq + limit]

    async def lapsed(self, ids: Collection[UUID]) -> set[UUID]:
        assert ids, "it asks for nothing"
        return self.revoked & set(ids)


@pytest.fixture
def jobs() -> Jobs:
    return Jobs()


def run(jobs: Jobs, act: Callable[[Hub], Awaitable[None]], *, poll_seconds: float = NEVER) -> None:
    """Do something beside a running hub, which reads only when woken unless ``poll_seconds`` are given."""

    async def main() -> None:
        hub = Hub(jobs.news, jobs.since, jobs.lapsed, poll_seconds=poll_seconds)
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(hub.run)
                await act(hub)
                tasks.cancel_scope.cancel()

    anyio.run(main)


async def take(watch: Watch, amount: int) -> list[int]:
    return [(await watch.__anext__()).seq for _ in range(amount)]


async def take_all(hub: Hub, after: int = 0, job_id: UUID = JOB) -> list[int]:
    async with hub.watch(job_id, after=after) as watch:
        return [event.seq async for event in watch]


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds."""
    while not condition():
        await anyio.lowlevel.checkpoint()


async def waiting(hub: Hub, watch: Watch) -> None:
    """Let a watch get as far as it can; it waits then."""
    with anyio.move_on_after(0.05) as scope:
        await watch.__anext__()
    assert scope.cancelled_caught, "it had something to give"


def test_events_come_in_order_from_where_the_client_left_off(jobs: Jobs) -> None:
    async def act(hub: Hub) -> None:
        # Given a job with five events
        jobs.emit(amount=5)
        async with hub.watch(JOB, after=2) as watch:
            # When a client comes that has two, Then it gets the others
            assert await take(watch, 3) == [3, 4, 5]
            # And what happens next, as soon as somebody wakes the hub
            await waiting(hub, watch)
            jobs.emit(amount=2)
            hub.wake(JOB)
            assert await take(watch, 2) == [6, 7]

    run(jobs, act)


def test_a_wakeup_that_is_lost_only_delays(jobs: Jobs) -> None:
    async def act(hub: Hub) -> None:
        async with hub.watch(JOB, after=0) as watch:
            await waiting(hub, watch)
            jobs.emit()
            assert await take(watch, 1) == [1]

    run(jobs, act, poll_seconds=OFTEN)


def test_the_end_of_the_job_ends_the_events(jobs: Jobs) -> None:
    async def act(hub: Hub) -> None:
        jobs.emit(amount=3)
        jobs.ended.add(JOB)
        assert await take_all(hub) == [1, 2, 3]
        assert await take_all(hub, after=3) == []

    run(jobs, act)


def test_a_job_that_was_started_again_goes_on(jobs: Jobs) -> None:
    async def act(hub: Hub) -> None:
        # Given a job that has ended, as somebody heard who still stands there
        jobs.emit(amount=3)
        jobs.ended.add(JOB)
        async with hub.watch(JOB, after=0) as standing:
            await take(standing, 3)
            # When it is started again, and nobody has told the hub, and somebody comes who wants to wait for its end
            jobs.emit()
            jobs.ended.clear()
            async with hub.watch(JOB, after=4) as watch:
                await waiting(hub, watch)
                jobs.emit()
                hub.wake(JOB)
                assert await take(watch, 1) == [5]

    run(jobs, act)


def test_a_job_that_is_deleted_ends_the_events(jobs: Jobs) -> None:
    async def act(hub: Hub) -> None:
        jobs.emit()
        async with hub.watch(JOB, after=0) as watch:
            assert await take(watch, 1) == [1]
            del jobs.events[JOB]
            hub.wake(JOB)
            assert [event.seq async for event in watch] == []
            assert watch.gone

    run(jobs, act)


def test_close_ends_all_watches_at_once(jobs: Jobs) -> None:
    async def act(hub: Hub) -> None:
        # Given ten clients that have seen all there is
        got: list[int] = []

        async def watch() -> None:
            async with hub.watch(JOB, after=0) as watched:
                async for event in watched:
                    got.append(event.seq)

        jobs.emit()
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(watch)
            await until(lambda: len(got) == 10)
            # When the hub is closed, and there is no database to ask any more, Then they end
            jobs.away = True
            tasks.start_soon(take_all, hub, 0, uuid4())
            hub.close()
        assert got == [1] * 10
        assert hub.idle
        # And whoever comes later gets nothing
        assert await take_all(hub) == []

    run(jobs, act)


def test_a_hundred_watches_share_one_reading(jobs: Jobs) -> None:
    async def act(hub: Hub) -> None:
        # Given a hundred clients of one job and one of another
        other = uuid4()
        got: list[list[int]] = []

        async def watch() -> None:
            got.append(await take_all(hub))

        async with anyio.create_task_group() as tasks, hub.watch(other, after=0):
            for _ in range(100):
                tasks.start_soon(watch)
            await until(lambda: any(JOB in reading for reading in jobs.readings))
            before = len(jobs.readings)
            # When an event of the first is told
            jobs.emit()
            jobs.ended.add(JOB)
            hub.wake(JOB)
        # Then one reading of that job serves them all
        assert got == [[1]] * 100
        assert jobs.readings[before:] == [{JOB}]
        assert jobs.pages == 0

    run(jobs, act)


def test_a_slow_watch_falls_behind_and_reads_pages(jobs: Jobs) -> None:
    async def act(hub: Hub) -> None:
        # Given a client that takes one event while thousands happen
        total = 40 * KEPT
        async with hub.watch(JOB, after=0) as watch:
            jobs.emit()
            assert await take(watch, 1) == [1]
            for _ in range(39):
                jobs.emit(amount=KEPT)
                hub.wake(JOB)
                await anyio.sleep(0.015)
            jobs.emit(amount=total - len(jobs.events[JOB]))
            # When it goes on, Then it gets all of them, a page at a time
            assert await take(watch, total - 1) == list(range(2, total + 1))
            assert jobs.pages >= 30
            # And never more than a page was kept for it, nor for the job
            held: Any = watch
            assert len(held._ready) <= KEPT
            assert len(held._channel._events) <= KEPT

    run(jobs, act, poll_seconds=OFTEN)


def test_a_watch_has_no_gap_after_a_burst_of_events(jobs: Jobs) -> None:
    async def act(hub: Hub) -> None:
        # Given a client that has seen all there is
        jobs.emit(amount=3)
        async with hub.watch(JOB, after=0) as watch:
            await take(watch, 3)
            # When more happens at once than a reading takes
            jobs.emit(amount=3 * KEPT)
            hub.wake(JOB)
            # Then it gets each
            assert await take(watch, 3 * KEPT) == list(range(4, 4 + 3 * KEPT))

    run(jobs, act)


class ExpiredJobs(Jobs):
    """A job that had events, which were deleted with its files."""

    async def news(self, known: Mapping[UUID, int], limit: int) -> dict[UUID, News]:
        return {JOB: News(12, True)}

    async def since(self, job_id: UUID, seq: int, limit: int) -> list[EventRecord]:
        return []


def test_events_that_were_deleted_are_not_waited_for() -> None:
    async def act(hub: Hub) -> None:
        assert await take_all(hub) == []

    run(ExpiredJobs(), act)


@pytest.mark.parametrize("poll_seconds", [OFTEN, NEVER])
def test_a_database_that_is_away_only_delays(jobs: Jobs, poll_seconds: float) -> None:
    async def act(hub: Hub) -> None:
        # Given a database that does not answer
        jobs.emit(amount=2 * KEPT)
        jobs.ended.add(JOB)
        jobs.away = True
        got: list[int] = []

        async def watch() -> None:
            got.extend(await take_all(hub))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            await anyio.sleep(0.1)
            assert got == []
            # When it is back, Then everything arrives, from pages and from the reading
            jobs.away = False
        assert got == list(range(1, 2 * KEPT + 1))

    run(jobs, act, poll_seconds=poll_seconds)


def test_a_hub_is_idle_after_all_watches_ended(jobs: Jobs) -> None:
    async def act(hub: Hub) -> None:
        assert hub.idle
        # Given clients of one job, and others of one each, for all of whom it was read
        others = [uuid4() for _ in range(25)]
        async with anyio.create_task_group() as tasks:
            for job_id in others:
                jobs.emit(job_id)
                tasks.start_soon(take_all, hub, 0, job_id)
                tasks.start_soon(take_all, hub, 0, JOB)
            await until(lambda: {JOB, *others} <= set().union(*jobs.readings))
            assert not hub.idle
            # When they go
            tasks.cancel_scope.cancel()
        # Then no job is watched, and a wake-up reads nothing
        assert hub.idle
        before = len(jobs.readings)
        hub.wake(JOB)
        hub.wake_all()
        await anyio.sleep(0.05)
        assert len(jobs.readings) == before

    run(jobs, act)


def test_a_revoked_key_ends_its_watches(jobs: Jobs) -> None:
    async def act(hub: Hub) -> None:
        # Given clients with three keys, one of them twice, and one with none
        bad, good, other = uuid4(), uuid4(), uuid4()
        async with (
            hub.watch(JOB, after=0, key=bad) as first,
            hub.watch(JOB, after=0, key=good) as second,
            hub.watch(uuid4(), after=0) as third,
        ):
            async with hub.watch(JOB, after=0, key=bad), hub.watch(JOB, after=0, key=other):
                pass
            # When one key is revoked
            jobs.revoked = {bad, other}
            # Then what is watched with it ends, and nothing else
            assert [event.seq async for event in first] == []
            assert first.key_invalid
            jobs.emit()
            assert await take(second, 1) == [1]
            assert not second.key_invalid
            assert not third.key_invalid
        held: Any = hub
        assert not held._keys

    run(jobs, act, poll_seconds=OFTEN)
