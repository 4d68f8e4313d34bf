"""When which fault strikes, and how its healing is measured."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chaos import storm as module
from chaos.deployment import Deployment
from chaos.faults import Fault, Struck
from chaos.plan import Planned
from chaos.storm import Blow, Storm
from tests.support.clock import Clock


class Progress:
    """Stands in for a deployment that does, or does not, complete tasks all the time."""

    def __init__(self, works: bool = True) -> None:
        self._works = works

    def clock(self) -> datetime:
        return datetime.now(UTC)

    def progressed(self, since: datetime) -> bool:
        return self._works


def storm(
    faults: dict[str, Fault], kinds: list[str], *, alone: bool = False, idle: Callable[[], bool] = lambda: False
) -> Storm:
    planned = [Planned(0.0, kind, number) for number, kind in enumerate(kinds)]
    deployment = cast(Deployment, Progress())
    return Storm(deployment, faults, planned, alone=alone, idle=idle, tell=lambda blow: None)


class Watched:
    """A fault of which it is known how many of it struck at once at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = 0
        self.most = 0

    def __call__(self, deployment: Deployment, random: Random) -> Struck:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.1)
        with self._lock:
            self.now -= 1
        return Struck("it", lambda: True)


def test_none_of_a_kind_strikes_before_the_last_of_its_kind_has_healed() -> None:
    strike = Watched()
    running = storm({"one": Fault("One", strike)}, ["one"] * 3)
    running.run()
    assert [blow.kind for blow in running.blows] == ["one"] * 3
    assert strike.most == 1


def test_a_fault_is_announced_before_it_strikes(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given two faults, of which the second comes later: no time passes before the first has struck
    clock = Clock()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock, sleep=time.sleep))
    planned = [Planned(0.0, "one", 1), Planned(1.5, "one", 2)]
    passed: list[float] = []

    def watch(_: Deployment, __: Random) -> Struck:
        passed.append(running.passed)
        clock.now = 1.5
        return Struck("it", lambda: True)

    deployment = cast(Deployment, Progress())
    running = Storm(
        deployment, {"one": Fault("One", watch)}, planned, alone=False, idle=lambda: False, tell=lambda blow: None
    )
    # When the storm has not begun, Then the first is counted already
    assert running.passed == 0.5
    # When both strike, Then while the first did, the second was too far off to be
    running.run()
    assert passed == [0.5, 1.0]


def test_others_strike_meanwhile() -> None:
    # Given two faults, neither of which is done before the other strikes as well
    both = threading.Barrier(2)

    def strike(_: Deployment, __: Random) -> Struck:
        both.wait(60)
        return Struck("it", lambda: True)

    running = storm({"one": Fault("One", strike), "other": Fault("Other", strike)}, ["one", "other"])
    # When they strike, then they meet
    running.run()
    assert [blow.error for blow in running.blows] == ["", ""]


@pytest.mark.parametrize(("need", "alone"), [("broker", False), ("", True)])
def test_faults_that_need_the_same_for_themselves_or_come_alone_do_not_meet(need: str, alone: bool) -> None:
    strike = Watched()
    faults = {"one": Fault("One", strike, need), "other": Fault("Other", strike, need)}
    running = storm(faults, ["one", "other", "one"], alone=alone)
    running.run()
    assert len(running.blows) == 3
    assert strike.most == 1


def test_a_fault_that_cannot_be_undone_is_told() -> None:
    # Given a fault that raises
    def strike(deployment: Deployment, random: Random) -> Struck:
        raise TimeoutError("it stays broken")

    running = storm({"one": Fault("One", strike)}, ["one"])
    # When it strikes, then the storm goes on, and the blow says why it went wrong
    running.run()
    (blow,) = running.blows
    assert blow.error == "TimeoutError: it stays broken"
    assert blow.healed is None


def test_healing_counts_from_when_it_was_undone_to_the_next_task_that_is_completed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a fault that is held for 10 s, and whose target is whole half a second after that; only who waits takes time
    clock = Clock()

    def sleep(seconds: float) -> None:
        clock.now += seconds

    def strike(_: Deployment, __: Random) -> Struck:
        sleep(10)
        return Struck("it", lambda: clock.now >= 10.5)

    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock, sleep=sleep))
    running = storm({"one": Fault("One", strike)}, ["one"])
    # When it strikes
    running.run()
    # Then that time is told, with what it took to see it and a task completed, and not the one for which it was held
    (blow,) = running.blows
    assert blow.held == pytest.approx(10)
    assert blow.healed is not None
    assert 0.5 <= blow.healed < 1


def test_without_work_what_is_whole_has_healed() -> None:
    # Given a deployment that completes nothing because nothing is to be done
    running = storm({"one": Fault("One", Watched())}, ["one"], idle=lambda: True)
    cast(Any, running)._deployment = Progress(works=False)
    running.run()
    assert cast(Blow, running.blows[0]).healed is not None
