"""A worker process like ``octavia.worker.child``, whose actors do what the job's ``meta`` says instead of real work.

``meta``: ``chunks`` of the job; ``log``, a file that gets a line for each attempt; ``acts``, what each attempt at
``transcribe`` does, in order, the last one for all further attempts too; ``gate``, the file that "wait for the gate"
waits for.
"""

import ctypes
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import dramatiq
import psutil
from periodiq import cron

from octavia.brokers.queues import TaskBroker
from octavia.errors import InputError, TaskFailed, Unavailable
from octavia.jobs.tables.records import ChunkPlan, Plan
from octavia.jobs.tables.states import Queue, Stage
from octavia.middleware.process import Process
from octavia.middleware.stages import declare_stages
from octavia.settings import Settings
from octavia.work import Work
from octavia.worker import child


def prepare(work: Work) -> None:
    _note(work)
    chunks = tuple(ChunkPlan(index, index * 0.1, 0.1) for index in range(work.job.meta["chunks"]))
    work.plan = Plan(chunks, duration=len(chunks) * 0.1, language="en", models={}, warnings=())


def transcribe(work: Work) -> None:
    _note(work)
    acts = work.job.meta["acts"]
    _ACTS[acts[min(work.claim.attempt, len(acts)) - 1]](work)
    work.save_json("transcript.json", {"chunk": work.claim.ref.chunk})


def assemble(work: Work) -> None:
    _note(work)
    work.save("transcript.txt", b"done", "text/plain", published=True)


def _fail(work: Work) -> None:
    raise TaskFailed("It went wrong.")


def _refuse(work: Work) -> None:
    raise InputError("This will never do.", code="not_media")


def _miss_storage(work: Work) -> None:
    raise Unavailable("The storage is away.", code="storage_unavailable")


def _work_in_pieces(work: Work) -> None:
    for piece in range(300):
        work.checkpoint(piece / 300)
        time.sleep(0.05)


def _work_a_little(work: Work) -> None:
    for piece in range(6):
        work.checkpoint(piece / 6)
        time.sleep(0.05)


def _wait_for_the_gate(work: Work) -> None:
    """Until the test has seen what it wants to. Nothing is asked of the database, which may be away or locked."""
    while not Path(work.job.meta["gate"]).exists():
        if work.stopping.is_set():
            work.checkpoint(0.0)
        time.sleep(0.02)


def _load(work: Work) -> None:
    with work.loading():
        time.sleep(4)


def _keep_pieces(work: Work) -> None:
    """Twelve pieces that are kept as soon as they are done, and not done again by a later attempt.

    Each is noted before it is done, so that a piece which was begun and not kept can be told.
    """
    for number in range(12):
        key = f"jobs/{work.job.id}/pieces/{number:02}"
        if not work.storage.exists(key):
            work.storage.put(f"jobs/{work.job.id}/begun/{number:02}", str(work.claim.attempt).encode())
            time.sleep(0.6)
            work.storage.put(key, str(work.claim.attempt).encode())
        work.checkpoint(number / 12)


def _load_for_ever(work: Work) -> None:
    with work.loading():
        ctypes.PyDLL(None).sleep(60)


def _sleep_in_c(work: Work) -> None:
    ctypes.CDLL(None).sleep(60)


def _hold_the_interpreter(work: Work) -> None:
    ctypes.PyDLL(None).sleep(60)


def _run_out_of_memory(work: Work) -> None:
    """As Python notices it."""
    _bound_memory()
    hoard = []
    while True:
        hoard.append(bytearray(1 << 24))


def _run_out_of_memory_in_c(work: Work) -> None:
    """As native code does that takes it for granted that there is memory."""
    _bound_memory()
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    while True:
        ctypes.memset(libc.malloc(1 << 24), 1, 1 << 24)


def _bound_memory() -> None:
    """Leave this process a quarter of a gigabyte more than it has."""
    bound = psutil.Process().memory_info().vms + (1 << 28)
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))


def _die(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    time.sleep(60)


def _take_a_moment(work: Work) -> None:
    time.sleep(1.5)


def _sleep(work: Work) -> None:
    time.sleep(60)


def _leave_an_orphan(work: Work) -> None:
    subprocess.Popen(["sleep", "60"])
    _die(signal.SIGKILL)


_ACTS: dict[str, Callable[[Work], None]] = {
    "succeed": lambda work: None,
    "fail": _fail,
    "refuse": _refuse,
    "miss storage": _miss_storage,
    "work in pieces": _work_in_pieces,
    "work a little": _work_a_little,
    "wait for the gate": _wait_for_the_gate,
    "load": _load,
    "load for ever": _load_for_ever,
    "keep pieces": _keep_pieces,
    "hold the interpreter": _hold_the_interpreter,
    "sleep in C": _sleep_in_c,
    "be killed": lambda work: _die(signal.SIGKILL),
    "touch address 0": lambda work: ctypes.string_at(0),
    "leave an orphan": _leave_an_orphan,
    "abort in C": lambda work: ctypes.CDLL(None).abort(),
    "exit in C": lambda work: ctypes.CDLL(None)._exit(3),
    "run out of memory": _run_out_of_memory,
    "run out of memory in C": _run_out_of_memory_in_c,
    "take a moment": _take_a_moment,
    "sleep": _sleep,
}


def _note(work: Work) -> None:
    ref = work.claim.ref
    with Path(work.job.meta["log"]).open("a") as log:
        log.write(f"{ref.job_id} {ref.stage} {ref.chunk} {work.claim.attempt} {os.getpid()}\n")


def _hang(log: str) -> None:
    """A round of maintenance that never ends."""
    with Path(log).open("a") as file:
        file.write(f"{os.getpid()}\n")
    ctypes.PyDLL(None).sleep(60)


def declare(broker: TaskBroker, process: Process, _settings: Settings) -> None:
    """Declare the actors above."""
    stages = {Stage.PREPARE: prepare, Stage.TRANSCRIBE: transcribe, Stage.ASSEMBLE: assemble}
    declare_stages(broker, process, stages)
    dramatiq.Actor(
        _hang,
        broker=broker,
        actor_name="hang",
        queue_name=broker.names.main(Queue.MAINTENANCE),
        priority=0,
        options={"periodic": cron("0 0 1 1 *")},
    )


if __name__ == "__main__":
    if name := os.environ.get("TEST_HOST"):
        socket.gethostname = lambda: name
    sys.exit(child.run(sys.argv[1:], declare))
