"""A worker process like ``octavia.worker.child`` that can be killed anywhere, with an actor that does every stage.

Each stage reads what the one before left, and adds its own name to it; so the result tells whether every stage was
done, and done once. ``meta``: ``chunks``; ``log``, a file that gets a line for each attempt; ``gates``, by stage a file
that an attempt waits for; ``fails``, by stage how many attempts fail; ``early``, how many chunks ``prepare`` releases
in the middle of its work.
"""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from octavia.brokers.queues import TaskBroker
from octavia.errors import TaskFailed
from octavia.jobs.tables.records import ChunkPlan, Plan
from octavia.jobs.tables.states import WHOLE_JOB, Stage
from octavia.middleware.process import Process
from octavia.middleware.stages import declare_stages
from octavia.settings import Settings
from octavia.work import Work
from octavia.worker import child
from tests.integration.faults import clocks, points
from tests.integration.faults.points import Point

STAGES = (Stage.PREPARE, Stage.TRANSCRIBE, Stage.TRANSLATE, Stage.SYNTHESIZE, Stage.ASSEMBLE)


def result(chunks: int) -> bytes:
    """What a job of so many chunks comes to."""
    return "\n".join(f"{chunk}: prepare transcribe translate synthesize" for chunk in range(chunks)).encode()


def act(work: Work) -> None:
    """Do one task of any stage."""
    ref, meta = work.claim.ref, work.job.meta
    stage = ref.stage
    _note(work)
    _wait(work, meta.get("gates", {}).get(stage))
    if work.claim.attempt <= meta.get("fails", {}).get(stage, 0):
        raise TaskFailed("It went wrong.")
    made = _made(work)
    work.save("notes.txt", f"{stage} of {ref.chunk}".encode(), "text/plain")
    points.reached(Point.WORKING, str(ref.job_id), stage)
    if stage is Stage.ASSEMBLE:
        work.save("transcript.txt", made, "text/plain", published=True)
    else:
        work.save("made.txt", made, "text/plain")


def _made(work: Work) -> bytes:
    stage, chunk = work.claim.ref.stage, work.claim.ref.chunk
    if stage is Stage.PREPARE:
        chunks = tuple(ChunkPlan(index, index * 0.1, 0.1) for index in range(work.job.meta["chunks"]))
        work.plan = Plan(chunks, duration=len(chunks) * 0.1, language="en", models={}, warnings=())
        if early := work.job.meta.get("early"):
            work.save("made.txt", b"prepare", "text/plain")
            work.release(replace(work.plan, chunks=chunks[:early], duration=None), 0.5)
        return b"prepare"
    before = STAGES[STAGES.index(stage) - 1]
    if stage is Stage.ASSEMBLE:
        total = work.job.chunks_total or 0
        lines = [work.read(before, "made.txt", chunk=index).read() for index in range(total)]
        return b"\n".join(b"%d: %s" % (index, line) for index, line in enumerate(lines))
    left = work.read(before, "made.txt", chunk=WHOLE_JOB if before is Stage.PREPARE else chunk).read()
    return left + b" " + stage.encode()


def _wait(work: Work, gate: str | None) -> None:
    while gate and not Path(gate).exists():
        work.checkpoint(0.0)
        time.sleep(0.02)


def _note(work: Work) -> None:
    ref = work.claim.ref
    with Path(work.job.meta["log"]).open("a") as log:
        log.write(f"{ref.job_id} {ref.stage} {ref.chunk} {work.claim.attempt} {os.getpid()}\n")


def declare(broker: TaskBroker, process: Process, _settings: Settings) -> None:
    """Declare the actor above for every stage."""
    declare_stages(broker, process, dict.fromkeys(STAGES, act))


if __name__ == "__main__":
    clocks.mend()
    points.in_workers()
    sys.exit(child.run(sys.argv[1:], declare))
