"""Waiting jobs are counted once a second, for however many requests; those that arrive are counted as they do."""

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import anyio
import pytest

from octavia.api.http.identity import Principal
from octavia.api.submission.room import Congestion
from octavia.errors import OctaviaError, Unavailable
from octavia.jobs.access.keys import KeyRecord
from octavia.jobs.access.limits import TooMany
from octavia.storage import Space


class Queue:
    """Jobs that wait, and how often they were counted."""

    def __init__(self, waiting: int) -> None:
        self.waiting = waiting
        self.counted = 0

    async def count(self, most: int) -> int:
        self.counted += 1
        return min(self.waiting, most)


def bound(max_queued: int = 3, *, fresh_seconds: float = 3600) -> Congestion:
    """Counts that stay fresh for as long as a test takes, on whatever machine."""
    return Congestion(max_queued=max_queued, space=Space(lambda: None, 0), fresh_seconds=fresh_seconds)


def ask(question: Callable[[], Awaitable[None]], times: int = 1) -> None:
    async def all_in_turn() -> None:
        for _ in range(times):
            await question()

    anyio.run(all_in_turn)


def refused(question: Callable[[], Awaitable[None]]) -> str:
    with pytest.raises(OctaviaError) as caught:
        ask(question)
    assert caught.value.hint
    return caught.value.code


def test_check_queue_counts_once_for_many_requests() -> None:
    found, queue = bound(), Queue(2)
    ask(lambda: found.check_queue(queue.count), times=50)
    assert queue.counted == 1


def test_check_queue_refuses_all_while_the_queue_is_full() -> None:
    found, queue = bound(), Queue(3)
    for _ in range(5):
        with pytest.raises(Unavailable) as caught:
            ask(lambda: found.check_queue(queue.count))
        assert caught.value.code == "queue_full"
    assert queue.counted == 1


def test_check_queue_counts_again_when_the_count_is_old() -> None:
    # Given a full queue, and counts that are old at once
    found, queue = bound(fresh_seconds=0), Queue(3)
    assert refused(lambda: found.check_queue(queue.count)) == "queue_full"
    # When there is room again, then it is counted again
    queue.waiting = 0
    ask(lambda: found.check_queue(queue.count))
    assert queue.counted == 2


def test_check_queue_counts_the_jobs_that_are_made_meanwhile() -> None:
    # Given a queue with room for two more, as was counted once
    found, queue = bound(), Queue(1)
    # When two jobs are made, then there is no room for a third, once that was counted
    ask(lambda: found.check_queue(queue.count, adding=1), times=2)
    assert queue.counted == 1
    queue.waiting = 3
    for _ in range(3):
        assert refused(lambda: found.check_queue(queue.count, adding=1)) == "queue_full"
    assert queue.counted == 2


def test_check_queue_does_not_take_jobs_that_have_begun_for_waiting_ones() -> None:
    # Given a queue that jobs leave at once
    found, queue = bound(), Queue(0)
    # When more are made within a second than may wait, then all get in
    ask(lambda: found.check_queue(queue.count, adding=1), times=10)


def client(jobs_in_flight: int, key_id: UUID | None = None) -> Principal:
    made = datetime(2026, 1, 1, tzinfo=UTC)
    key = KeyRecord(
        id=key_id or uuid4(),
        prefix="",
        name="",
        owner="ann",
        scopes=frozenset(),
        requests_per_minute=None,
        jobs_in_flight=jobs_in_flight,
        created_at=made,
        expires_at=None,
        revoked_at=None,
        last_used_at=None,
        webhook_url=None,
        webhook_secret="",
    )
    return Principal("ann", scopes=key.scopes, key=key, jobs_in_flight=jobs_in_flight)


def test_arriving_counts_the_jobs_of_a_key_whose_requests_arrive() -> None:
    found, ann, bob = bound(), client(2), client(2)
    one, two = uuid4(), uuid4()
    with ExitStack() as first, ExitStack() as second:
        # When requests of a key arrive, then each is told of those before it
        assert first.enter_context(found.arriving(ann, one)) == frozenset()
        assert second.enter_context(found.arriving(ann, two)) == {one}
        # And one too many is refused
        with pytest.raises(TooMany) as caught, found.arriving(ann, uuid4()):
            pass
        assert caught.value.code == "too_many_jobs"
        # And another key has its own places, and one without a limit needs none
        with found.arriving(bob, uuid4()) as others:
            assert others == frozenset()
        without = replace(ann, jobs_in_flight=0)
        with found.arriving(without, uuid4()) as others:
            assert others == frozenset()
        # And who is through makes a place
        first.close()
        with found.arriving(ann, uuid4()) as others:
            assert others == {two}
