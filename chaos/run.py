"""One run: a calm run for comparison, the storm, and the checks."""

import threading
import time
from datetime import date
from pathlib import Path
from random import Random
from uuid import UUID

from chaos import evidence, leftovers, report, verdict
from chaos.clients import Clients, Ordered, Results, clients, results
from chaos.deployment import Deployment
from chaos.faults import all_faults
from chaos.faults.messages import Garbage
from chaos.orders import Order, drawn, orders
from chaos.plan import may_order, plan
from chaos.report import Outcome
from chaos.storm import Blow, Storm
from octavia.storage import Storage

_CALM_WITHIN = 240.0
_ENDED_WITHIN = 240.0
_TICK = 0.1


class ChaosError(Exception):
    """The calm run has failed, so there is nothing to compare with."""


class Run:
    """A deployment, the jobs and the faults, all drawn from one random source.

    Parameters:
      folder: An empty folder for everything.
      every: Seconds between two faults, on average.
      alone: Each fault waits until the one before has healed.
    """

    def __init__(self, folder: Path, random: Random, *, jobs: int, faults: int, every: float, alone: bool) -> None:
        self._folder = folder
        self._garbage = Garbage()
        self._faults = all_faults(self._garbage)
        self._planned = plan(list(self._faults), faults, every, random)
        self._known = orders()
        self._alone = alone
        self._drawn = drawn(self._known, jobs, random)
        self._storm_seconds = 0.0

    def outcome(self, day: date, command: str, seed: int) -> Outcome:
        """Run everything, and check the outcome.

        Raises:
          ChaosError, DeploymentError: The storm could not begin.
        """
        with Deployment(self._folder) as deployment:
            _say(f"Up: {', '.join(deployment.urls)}, RabbitMQ {deployment.node.management_url}")
            calm, calm_jobs = self._calm(deployment)
            last_calm = max(calm_jobs)
            storm, made = self._storm(deployment)
            misses = [*_unhealed(storm.blows), *verdict.unfinished(made), *verdict.doubled(made)]
            canceled = [one.job_id for one in made if one.status == "canceled" and one.job_id]
            bad = {one.job_id for one in made if not one.ended_well and one.job_id}
            compared = 0
            for one in made:
                if one.status == "completed" and one.job_id:
                    found = results(deployment.urls, one)
                    differs = list(verdict.differences(one, found, calm))
                    misses += differs
                    bad |= {one.job_id} if differs else set()
                    compared += sum(map(len, found.values()))
            _say(f"{compared} files compared")
            counts = leftovers.attempts(deployment.database, last_calm)
            counts["submissions"] = sum(one.requests for one in made)
            counts["canceled on the way"] = len(canceled)
            misses += leftovers.settle(deployment)
            misses += [f"{name} did not stop in good order" for name in deployment.stop_octavia()]
            misses += leftovers.surviving(deployment)
            storage = Storage(deployment.settings.storage)
            counts |= leftovers.sweep(deployment.database, storage)
            misses += leftovers.rows(deployment.database, len(self._known) + len(made), canceled)
            misses += leftovers.files(deployment.database, storage)
            misses += leftovers.dead_letters(deployment, self._garbage.sent)
            counts["dead letters"] = len(self._garbage.sent)
            if misses:
                evidence.keep(deployment.database, self._folder / "evidence", misses, bad)
        return Outcome(
            day=day,
            command=command,
            seed=seed,
            seconds=self._storm_seconds,
            titles={kind: fault.title for kind, fault in self._faults.items()},
            blows=storm.blows,
            jobs=sum(not order.canceled for order in self._drawn),
            completed=sum(one.status == "completed" and not one.order.canceled for one in made),
            files=compared,
            counts=counts,
            misses=misses,
        )

    def _calm(self, deployment: Deployment) -> tuple[dict[str, Results], list[UUID]]:
        """Run every distinct order once, without faults; returns their results and job ids."""
        began = time.monotonic()
        with clients(deployment.urls, deployment.api_keys) as calm:
            for number, order in enumerate(self._known):
                calm.order(order, f"calm-{number}")
            calm.join(_CALM_WITHIN)
            failed = list(verdict.unfinished(calm.orders))
            if failed:
                raise ChaosError("\n".join(["The calm run has failed:", *failed]))
            found = {one.order.name: results(deployment.urls, one) for one in calm.orders}
        _say(f"Calm: {len(self._known)} distinct jobs in {time.monotonic() - began:.0f} s")
        return found, [one.job_id for one in calm.orders if one.job_id]

    def _storm(self, deployment: Deployment) -> tuple[Storm, list[Ordered]]:
        with clients(deployment.urls, deployment.api_keys) as busy:
            storm = Storm(
                deployment,
                self._faults,
                self._planned,
                alone=self._alone,
                idle=lambda: not busy.outstanding,
                tell=lambda blow: self._tell(blow, busy),
            )
            began = time.monotonic()
            ordering = threading.Thread(target=self._order, args=(busy, storm), name="ordering", daemon=True)
            ordering.start()
            storm.run()
            ordering.join()
            busy.join(_ENDED_WITHIN)
            self._storm_seconds = time.monotonic() - began
            _say(f"The storm is over after {self._storm_seconds:.0f} s; {busy.outstanding} jobs outstanding")
            return storm, busy.orders

    def _order(self, busy: Clients, storm: Storm) -> None:
        left: list[Order] = list(self._drawn)
        while left:
            if may_order(len(busy.orders), len(self._drawn), storm.passed):
                number = len(busy.orders)
                busy.order(left.pop(0), f"storm-{number}")
            else:
                time.sleep(_TICK)

    def _tell(self, blow: Blow, busy: Clients) -> None:
        ended = len(busy.orders) - busy.outstanding
        _say(f"{report.line(blow, self._faults[blow.kind].title)}  [{ended}/{len(busy.orders)} jobs]")


def _unhealed(blows: list[Blow]) -> list[str]:
    return [
        f"{blow.kind} at {blow.at:.1f} s ({blow.target}): {blow.error or 'never healed'}"
        for blow in blows
        if blow.error or blow.healed is None
    ]


def _say(line: str) -> None:
    print(line, flush=True)
