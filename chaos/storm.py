"""The storm: planned faults, several at once, while jobs are ordered. Measures how long each takes to heal."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

import structlog

from chaos.deployment import Deployment
from chaos.faults import Fault
from chaos.plan import Planned

HEALS_WITHIN = 120.0
_ANNOUNCED = 1.0
_TICK = 0.1
_LOOK = 0.2

logger = structlog.get_logger()


@dataclass(slots=True)
class Blow:
    """One fault that has struck.

    Attributes:
      at: Seconds from the beginning of the storm.
      target: The part that was hit.
      held: Seconds until the fault was undone.
      healed: Seconds from then until the part was whole again and after that a task was begun and completed; None if
        that did not happen.
      error: The reason why the fault could not be struck or undone.
    """

    kind: str
    at: float
    target: str = ""
    held: float = 0.0
    healed: float | None = None
    error: str = ""
    over: threading.Event = field(default_factory=threading.Event, repr=False)


class Storm:
    """Strikes the planned faults.

    Parameters:
      faults: The kinds, by name.
      alone: Each fault waits until the one before has healed.
      idle: Returns True if there is no work, so that no progress can be seen.
      tell: Called with each blow when it has struck, and again when it is over.
    """

    def __init__(
        self,
        deployment: Deployment,
        faults: Mapping[str, Fault],
        planned: Sequence[Planned],
        *,
        alone: bool,
        idle: Callable[[], bool],
        tell: Callable[[Blow], None],
    ) -> None:
        self._deployment = deployment
        self._faults = faults
        self._planned = planned
        self._alone = alone
        self._idle = idle
        self._tell = tell
        self._began = time.monotonic()
        self.blows: list[Blow] = []

    @property
    def passed(self) -> float:
        """The share (0–1) of the planned faults that have struck or are about to, within a second."""
        struck = len(self.blows)
        soon = struck < len(self._planned) and self._planned[struck].at <= self._seconds() + _ANNOUNCED
        return (struck + soon) / len(self._planned)

    def run(self) -> None:
        """Strike all of them, and wait until each has healed or has been given up."""
        self._began = time.monotonic()
        left = list(self._planned)
        while left:
            now = self._seconds()
            chosen = self._next(left, now)
            if chosen is None:
                time.sleep(_TICK)
                continue
            left.remove(chosen)
            blow = Blow(chosen.kind, now)
            self.blows.append(blow)
            threading.Thread(target=self._strike, args=(blow, chosen), name=chosen.kind, daemon=True).start()
        for blow in self.blows:
            blow.over.wait()

    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _next(self, left: Sequence[Planned], now: float) -> Planned | None:
        """The first due fault none of whose kind is under way, nor another that needs the part it needs alone."""
        under_way = [blow.kind for blow in self.blows if not blow.over.is_set()]
        if self._alone and under_way:
            return None
        taken = {self._faults[kind].alone for kind in under_way} - {""}
        for planned in left:
            if planned.at > now:
                return None
            if planned.kind not in under_way and self._faults[planned.kind].alone not in taken:
                return planned
        return None

    def _strike(self, blow: Blow, planned: Planned) -> None:
        began = time.monotonic()
        try:
            struck = self._faults[planned.kind].strike(self._deployment, Random(planned.seed))
            blow.target = struck.target
            blow.held = time.monotonic() - began
            self._tell(blow)
            blow.healed = self._healed(struck.whole)
        except Exception as error:
            logger.exception("fault_failed", kind=planned.kind)
            blow.error = f"{type(error).__name__}: {error}"
        finally:
            blow.over.set()
            self._tell(blow)

    def _healed(self, whole: Callable[[], bool]) -> float | None:
        began = time.monotonic()
        since: datetime | None = None
        while (passed := time.monotonic() - began) < HEALS_WITHIN:
            if since is None:
                since = self._deployment.clock() if whole() else None
            elif self._idle() or self._deployment.progressed(since):
                return passed
            time.sleep(_LOOK)
        return None
