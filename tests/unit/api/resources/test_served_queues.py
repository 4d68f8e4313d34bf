"""A queue needs living workers, but not at every moment."""

from collections.abc import Collection

import anyio
import pytest

from octavia.api.resources.served_queues import ServedQueues
from octavia.errors import Unavailable
from octavia.jobs.tables.states import Queue

NEEDED = (Queue.DEFAULT, Queue.TRANSLATE)


class Workers:
    """Workers of these queues, one each."""

    def __init__(self, *queues: Queue) -> None:
        self.queues: Collection[Queue] = queues
        self.away = False

    async def count(self) -> dict[Queue, int]:
        if self.away:
            raise Unavailable("away")
        return {queue: int(queue in self.queues) for queue in Queue}


def served(workers: Workers, needed: Collection[Queue] = NEEDED, *, grace_seconds: float = 3600) -> ServedQueues:
    found = ServedQueues(needed, workers.count, grace_seconds=grace_seconds)
    anyio.run(found.count)
    return found


def test_a_queue_that_never_had_a_worker_is_not_served() -> None:
    with pytest.raises(Unavailable) as caught:
        served(Workers(Queue.DEFAULT)).check()
    assert caught.value.code == "no_workers"
    assert "serves translate." in caught.value.message
    assert "octavia worker --queues translate`" in caught.value.hint


def test_queues_that_are_not_needed_may_be_without() -> None:
    served(Workers(*NEEDED)).check()
    served(Workers(), needed=()).check()


def test_workers_may_be_away_for_a_while_once_they_were_there() -> None:
    # Given queues that had workers
    workers = Workers(*NEEDED)
    patient, strict = served(workers), served(workers, grace_seconds=-1)
    # When these have gone
    workers.queues = ()
    anyio.run(patient.count)
    anyio.run(strict.count)
    # Then that is told, and is a failure after the grace
    assert patient.living[Queue.TRANSLATE] == 0
    patient.check()
    with pytest.raises(Unavailable):
        strict.check()


def test_what_could_not_be_counted_is_not_told() -> None:
    # Given a count, and then a database that is away
    workers = Workers(*NEEDED)
    found = served(workers)
    workers.away = True
    # When it is asked
    with pytest.raises(Unavailable):
        anyio.run(found.count)
    # Then an old count is no answer
    assert found.living == {}
