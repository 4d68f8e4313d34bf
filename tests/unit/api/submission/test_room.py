"""Waiting jobs and free space are counted once a second, for however many requests."""

from collections.abc import Awaitable, Callable

import anyio
import pytest

from octavia.api.submission.room import Congestion
from octavia.errors import OctaviaError, Unavailable
from octavia.storage import StorageFull


class Queue:
    """Jobs that wait, and how often they were counted."""

    def __init__(self, waiting: int) -> None:
        self.waiting = waiting
        self.counted = 0

    async def count(self, most: int) -> int:
        self.counted += 1
        return min(self.waiting, most)


class Disk:
    """A disk, and how often it was looked at."""

    def __init__(self, free: int | None) -> None:
        self.left = free
        self.looked = 0

    async def free(self) -> int | None:
        self.looked += 1
        return self.left


def bound(max_queued: int = 3, min_free: int = 100, *, fresh_seconds: float = 3600) -> Congestion:
    """Counts that stay fresh for as long as a test takes, on whatever machine."""
    return Congestion(max_queued=max_queued, min_free=min_free, fresh_seconds=fresh_seconds)


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


def test_check_space_reads_the_disk_once_for_many_requests() -> None:
    found, disk = bound(), Disk(100)
    ask(lambda: found.check_space(disk.free), times=50)
    assert disk.looked == 1


@pytest.mark.parametrize(("left", "size"), [(99, 0), (0, 0), (150, 51)])
def test_check_space_refuses_a_file_without_room(left: int, size: int) -> None:
    found, disk = bound(), Disk(left)
    with pytest.raises(StorageFull) as caught:
        ask(lambda: found.check_space(disk.free, size))
    assert caught.value.code == "storage_full"


@pytest.mark.parametrize("left", [None, 151])
def test_check_space_accepts_a_file_that_fits_or_a_storage_that_does_not_tell(left: int | None) -> None:
    found, disk = bound(), Disk(left)
    ask(lambda: found.check_space(disk.free, 51))
