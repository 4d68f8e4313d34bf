"""How many jobs wait is asked once a second, however many want to know."""

import anyio
import pytest

from octavia.api import congestion
from octavia.api.congestion import Congestion
from octavia.errors import Unavailable


class Queue:
    """Jobs that wait, and how often they were counted."""

    def __init__(self, waiting: int) -> None:
        self.waiting = waiting
        self.counted = 0

    async def count(self, most: int) -> int:
        self.counted += 1
        return min(self.waiting, most)


def ask(bound: Congestion, queue: Queue, times: int = 1) -> None:
    async def all_at_once() -> None:
        for _ in range(times):
            await bound.check(queue.count)

    anyio.run(all_at_once)


def test_a_queue_with_room_is_counted_once_for_many() -> None:
    queue = Queue(2)
    ask(Congestion(3), queue, times=50)
    assert queue.counted == 1


def test_a_full_queue_refuses_all() -> None:
    bound, queue = Congestion(3), Queue(3)
    for _ in range(5):
        with pytest.raises(Unavailable) as caught:
            ask(bound, queue)
        assert caught.value.code == "queue_full"
    assert queue.counted == 1


def test_it_is_counted_again_when_that_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    bound, queue = Congestion(3), Queue(3)
    with pytest.raises(Unavailable):
        ask(bound, queue)
    queue.waiting = 0
    # When some time has passed, then the queue is looked at again
    monkeypatch.setattr(congestion, "_FRESH_SECONDS", 0)
    ask(bound, queue)
    assert queue.counted == 2
