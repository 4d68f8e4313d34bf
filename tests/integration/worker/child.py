"""A worker process like ``octavia.worker.child``, whose actors do what the job's ``meta`` says instead of real work.

``meta``: ``chunks`` of the job; ``log``, a file that gets a line for each attempt; ``acts``, what each attempt at
``transcribe`` does, in order, the last one for all further attempts too.
"""

import ctypes
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import dramatiq

from octavia.errors import InputError, TaskFailed, Unavailable
from octavia.jobs.records import ChunkPlan, Plan
from octavia.jobs.states import Stage, queue_of
from octavia.queues import TaskBroker, real_name
from octavia.settings import Settings
from octavia.work import Work, current
from octavia.worker import child


def prepare(job_id: str, run: int, chunk: int, format: int) -> None:
    work = current()
    _note(work)
    chunks = tuple(ChunkPlan(index, index * 0.1, 0.1) for index in range(work.job.meta["chunks"]))
    work.plan = Plan(chunks, duration=len(chunks) * 0.1, language="en", models={}, warnings=())


def transcribe(job_id: str, run: int, chunk: int, format: int) -> None:
    work = current()
    _note(work)
    acts = work.job.meta["acts"]
    _ACTS[acts[min(work.claim.attempt, len(acts)) - 1]](work)
    work.save_json("transcript.json", {"chunk": chunk})


def assemble(job_id: str, run: int, chunk: int, format: int) -> None:
    work = current()
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


def _load(work: Work) -> None:
    with work.loading():
        time.sleep(4)


def _hold_the_interpreter(work: Work) -> None:
    ctypes.PyDLL(None).sleep(60)


def _take_a_moment(work: Work) -> None:
    time.sleep(1.5)


def _sleep(work: Work) -> None:
    time.sleep(60)


_ACTS: dict[str, Callable[[Work], None]] = {
    "succeed": lambda work: None,
    "fail": _fail,
    "refuse": _refuse,
    "miss storage": _miss_storage,
    "work in pieces": _work_in_pieces,
    "load": _load,
    "hold the interpreter": _hold_the_interpreter,
    "take a moment": _take_a_moment,
    "sleep": _sleep,
}


def _note(work: Work) -> None:
    ref = work.claim.ref
    with Path(work.job.meta["log"]).open("a") as log:
        log.write(f"{ref.job_id} {ref.stage} {ref.chunk} {work.claim.attempt} {os.getpid()}\n")


def declare(broker: TaskBroker, settings: Settings) -> None:
    """Declare the actors above."""
    for stage, work in ((Stage.PREPARE, prepare), (Stage.TRANSCRIBE, transcribe), (Stage.ASSEMBLE, assemble)):
        queue = real_name(broker.prefix, queue_of(stage))
        dramatiq.actor(work, broker=broker, actor_name=stage.value, queue_name=queue)


if __name__ == "__main__":
    sys.exit(child.run(sys.argv[1:], declare))
