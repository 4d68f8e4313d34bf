import threading
import time
import weakref

import pytest

from octavia.engines.cache import EngineCache
from tests.support.clock import Clock
from tests.support.waiting import until

# For a cache whose timer must not speak up in the middle of another test.
NEVER = 1e6


class Engine:
    pass


class Loads:
    """Counts how often each engine was loaded."""

    def __init__(self, cache: EngineCache) -> None:
        self.cache = cache
        self.count: dict[str, int] = {}

    def get(self, key: str, size: int = 1) -> Engine:
        def load() -> Engine:
            self.count[key] = self.count.get(key, 0) + 1
            return Engine()

        return self.cache.get(key, load, size)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def loads(clock: Clock) -> Loads:
    return Loads(EngineCache(10, 60, clock=clock))


def test_an_engine_is_loaded_once(loads: Loads) -> None:
    assert loads.get("a") is loads.get("a")
    assert loads.count == {"a": 1}


def test_the_least_recently_used_goes_when_there_is_no_room(loads: Loads) -> None:
    # Given two engines, the older one used last
    loads.get("a", 5)
    loads.get("b", 5)
    loads.get("a", 5)
    # When a third needs room
    loads.get("c", 5)
    # Then the other one has gone
    loads.get("a", 5)
    assert loads.count == {"a": 1, "b": 1, "c": 1}
    loads.get("b", 5)
    assert loads.count["b"] == 2


def test_room_is_made_before_the_load(loads: Loads) -> None:
    old = weakref.ref(loads.get("a", 10))
    alive_at_load: list[bool] = []

    def load() -> Engine:
        alive_at_load.append(old() is not None)
        return Engine()

    loads.cache.get("b", load, 10)
    assert alive_at_load == [False]


def test_an_engine_larger_than_the_bound_is_kept_alone(loads: Loads) -> None:
    loads.get("small", 1)
    loads.get("huge", 100)
    loads.get("huge", 100)
    assert loads.count == {"small": 1, "huge": 1}
    loads.get("small", 1)
    assert loads.count["small"] == 2


def test_idle_engines_are_dropped(loads: Loads, clock: Clock) -> None:
    loads.get("a")
    clock.now = 30
    loads.get("b")
    clock.now = 70
    loads.cache.sweep()
    loads.get("a")
    loads.get("b")
    assert loads.count == {"a": 2, "b": 1}


def test_a_timer_drops_them_without_being_asked() -> None:
    loads = Loads(EngineCache(10, 0.05))
    engine = weakref.ref(loads.get("a"))
    until(lambda: engine() is None)
    loads.get("a")
    assert loads.count == {"a": 2}


def test_a_dropped_engine_that_is_still_in_use_is_taken_back(loads: Loads, clock: Clock) -> None:
    engine = loads.get("a")
    clock.now = 100
    loads.cache.sweep()
    assert loads.get("a") is engine
    assert loads.count == {"a": 1}


def test_a_failed_load_is_not_remembered(loads: Loads) -> None:
    def fail() -> Engine:
        raise OSError("no such file")

    with pytest.raises(OSError, match="no such file"):
        loads.cache.get("a", fail, 1)
    assert isinstance(loads.get("a"), Engine)


class TestThreads:
    def test_two_that_ask_at_once_share_one_load(self) -> None:
        # Given two threads at a barrier and a slow load
        cache = EngineCache(10, NEVER)
        barrier = threading.Barrier(2)
        count: list[int] = []
        got: list[Engine] = []

        def load() -> Engine:
            count.append(1)
            time.sleep(0.1)
            return Engine()

        def ask() -> None:
            barrier.wait()
            got.append(cache.get("a", load, 1))

        # When both ask
        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # Then both have the same one
        assert len(count) == 1
        assert got[0] is got[1]

    def test_a_failure_reaches_all_that_waited(self) -> None:
        cache = EngineCache(10, NEVER)
        loading, go_on = threading.Event(), threading.Event()
        failures: list[str] = []

        def load() -> Engine:
            loading.set()
            go_on.wait(10)
            raise ValueError("damaged")

        def ask() -> None:
            try:
                cache.get("a", load, 1)
            except ValueError as error:
                failures.append(str(error))

        first, second = threading.Thread(target=ask), threading.Thread(target=ask)
        first.start()
        loading.wait(10)
        second.start()
        time.sleep(0.05)
        go_on.set()
        first.join()
        second.join()
        assert failures == ["damaged", "damaged"]

    def test_one_load_does_not_hold_up_another_engine(self) -> None:
        cache = EngineCache(10, NEVER)
        loading, go_on = threading.Event(), threading.Event()

        def slow() -> Engine:
            loading.set()
            go_on.wait(10)
            return Engine()

        thread = threading.Thread(target=lambda: cache.get("slow", slow, 1))
        thread.start()
        loading.wait(10)
        assert isinstance(cache.get("quick", Engine, 1), Engine)
        go_on.set()
        thread.join()
