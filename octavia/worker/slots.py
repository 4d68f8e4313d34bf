"""The place of one worker process at its supervisor: the process, what it reports, and what it is told."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from octavia.jobs.tables.pauses import PauseRecord
from octavia.jobs.tables.states import Queue
from octavia.metrics import measures
from octavia.metrics.declared import TIME_LIMITS, WORKER_DEATHS
from octavia.middleware.process import worker_id
from octavia.worker import showing
from octavia.worker.fork_server import ForkServer
from octavia.worker.janitor import Assignment, Heartbeat, WorkerExit
from octavia.worker.orders import order_for
from octavia.worker.processes import KeptProcess, ProcessExit

# A worker process that missed an order hears it again.
_ORDER_SECONDS = 1.0

logger = structlog.get_logger()


@dataclass(slots=True)
class _State:
    """The state of one worker process, as far as it has reported it.

    Attributes:
      chore: The maintenance that it does.
      deadline: The end of the hard limit in force, in monotonic seconds.
      killed: It was killed for running past its limit.
      timed_out: The task for whose limit it was killed.
      stage: The stage of that task, and of the one in hand; empty for maintenance.
      leaving: It ends because it was told to, and has said so.
      memory: Bytes.
      models: Number of models that it has loaded.
    """

    assignment: Assignment | None = None
    chore: str | None = None
    deadline: float | None = None
    killed: bool = False
    timed_out: Assignment | None = None
    stage: str = ""
    leaving: bool = False
    memory: int = 0
    models: int = 0


class Slot:
    """One worker process after another, and the state of the present one."""

    def __init__(
        self,
        place: str,
        queues: Sequence[Queue],
        command: Sequence[str],
        environment: dict[str, str],
        wake_relay: Callable[[], None],
        server: ForkServer | None = None,
    ) -> None:
        self.queues = queues
        self._served = queues[0].value if len(queues) == 1 else "all"
        for cause in showing.CAUSES:
            WORKER_DEATHS.expect(queue=self._served, cause=cause)
        self._wake_relay = wake_relay
        self._place = place
        argv = (*command, "--slot", place, "--queues", ",".join(queue.value for queue in queues))
        self.process = KeptProcess(place, argv, env=environment, reports=True, server=server)
        self._state = _State()
        self._last_report: float | None = None
        self._order = b""
        self._ordered_at = 0.0

    def obey(self, pauses: Sequence[PauseRecord]) -> None:
        """Tell the process what is paused, and let it end for good, or come back, if all of its queues are drained."""
        order, drain = order_for(self.queues, pauses)
        if order == self._order and time.monotonic() - self._ordered_at < _ORDER_SECONDS:
            return
        if drain:
            # Its end is no fault of its own.
            self.process.mark_useful()
        self._order, self._ordered_at = order, time.monotonic()
        self.process.wanted = not drain
        self.process.tell(order)

    def poll(self) -> WorkerExit | None:
        """Read reports, kill the process past its hard limit, restart it when due. Returns its end, once."""
        self._read_reports()
        state = self._state
        if state.deadline is not None and time.monotonic() > state.deadline:
            logger.warning("killed_at_hard_limit", process=self.process.name, pid=self.process.pid, chore=state.chore)
            state.killed, state.timed_out, state.deadline = True, state.assignment, None
            TIME_LIMITS.add(stage=state.stage or "maintenance", kind="hard")
            self.process.kill()
        ended = self.process.poll()
        return self.exit_of(ended, killed=False) if ended else None

    def exit_of(self, ended: ProcessExit, *, killed: bool) -> WorkerExit:
        """The end of a process (``killed`` if it did not stop when told to) and its task; its state is forgotten."""
        self._read_reports()
        state, self._state, self._last_report = self._state, _State(), None
        worker = worker_id(self._place, ended.pid)
        if not (killed or state.leaving or ended.code == 0):
            WORKER_DEATHS.add(queue=self._served, cause=showing.cause_of(ended.code, at_limit=state.killed))
        return WorkerExit(worker, ended.code, state.timed_out, requested=killed or state.leaving)

    @property
    def up(self) -> bool:
        """True once the process has come up: then it reports its memory."""
        return self.process.pid is not None and self._state.memory > 0

    def heartbeat(self) -> Heartbeat | None:
        """The process as it is now; None while it does not run, or has not come up.

        One that fails again and again has no pid and serves no queue.
        """
        pid, state = self.process.pid, self._state
        if pid and self.up and self._last_report is not None:
            silent = time.monotonic() - self._last_report
            return Heartbeat(worker_id(self._place, pid), pid, self.queues, state.assignment, state.memory, silent)
        return Heartbeat(worker_id(self._place, 0), 0, (), None, 0, 0.0) if self.process.failing else None

    def shown(self) -> showing.ProcessState:
        """The process as the metrics show it."""
        state = self._state
        if self.process.failing:
            activity: showing.Activity = "failing"
        elif state.deadline is not None:
            activity = "working"
        else:
            activity = "idle" if state.memory else "starting"
        return showing.ProcessState(self._served, activity, state.memory, state.models)

    def _read_reports(self) -> None:
        """Take in the reports; those that only a newer release knows are left out."""
        state = self._state
        for line in self.process.read_reports():
            try:
                report = json.loads(line)
            except ValueError:
                logger.exception("report_unreadable", process=self.process.name)
                continue
            self._last_report = time.monotonic()
            if "counted" in report:
                measures.take_in(report["counted"])
            if "limit" in report:
                self.process.mark_useful()
                state.deadline = self._last_report + report["limit"]
                state.chore = report.get("chore")
                state.stage = str(report.get("stage", ""))
                if "task" in report:
                    loading = report.get("loading", False)
                    state.assignment = Assignment(UUID(report["task"]), report["attempt"], report["limit"], loading)
            elif "idle" in report:
                state.assignment = state.chore = state.deadline = None
            elif "outbox" in report:
                self._wake_relay()
            elif "leaving" in report:
                state.leaving = True
            elif "memory" in report:
                state.memory, state.models = report["memory"], report.get("models", 0)
