"""A worker process like ``octavia.worker.child``, whose actors read and write the storage as the real ones do.

``metadata``: ``chunks``; ``log``, a file that gets a line for each attempt; ``gates``, by stage a file that attempts
wait for before they work, or one beside it with the attempt's number, such as ``gate.1``, that opens it for that one;
``bulk``, the bytes that ``transcribe`` leaves beside its result.
"""

import os
import sys
import time
from pathlib import Path

from octavia.actors.fetch import recording
from octavia.brokers.queues import TaskBroker
from octavia.jobs.tables.records import ChunkPlan, Plan
from octavia.jobs.tables.states import Stage
from octavia.middleware.process import Process
from octavia.middleware.stages import declare_stages
from octavia.settings import Settings
from octavia.work import Work
from octavia.worker import child

_HEARD = "heard.json"
_BULK = "bulk"


def prepare(work: Work) -> None:
    _begin(work)
    with work.storage.local_path(recording(work)) as path:
        said = len(path.read_bytes())
    chunks = tuple(ChunkPlan(index, index * 0.1, 0.1) for index in range(work.job.meta["chunks"]))
    work.save_json("chunks.json", [said for _ in chunks])
    work.plan = Plan(chunks, duration=len(chunks) * 0.1, language="en", models={}, warnings=())


def transcribe(work: Work) -> None:
    _begin(work)
    said = work.read_json(Stage.PREPARE, "chunks.json")[work.claim.ref.chunk]
    work.save(_BULK, b"x" * work.job.meta.get("bulk", 0), "application/octet-stream")
    work.save_json(_HEARD, {"said": said})


def assemble(work: Work) -> None:
    _begin(work)
    total = sum(
        work.read_json(Stage.TRANSCRIBE, _HEARD, chunk=index)["said"] for index in range(work.job.chunks_total or 0)
    )
    work.save("transcript.txt", str(total).encode(), "text/plain", published=True)


def _begin(work: Work) -> None:
    """Note the attempt, and wait for its gate."""
    ref, meta = work.claim.ref, work.job.meta
    with Path(meta["log"]).open("a") as log:
        log.write(f"{ref.job_id} {ref.stage} {ref.chunk} {work.claim.attempt} {os.getpid()}\n")
    gate = meta.get("gates", {}).get(ref.stage)
    while gate and not any(Path(name).exists() for name in (gate, f"{gate}.{work.claim.attempt}")):
        work.checkpoint(0.0)
        time.sleep(0.02)


def declare(broker: TaskBroker, process: Process, _settings: Settings) -> None:
    """Declare the actors above."""
    stages = {Stage.PREPARE: prepare, Stage.TRANSCRIBE: transcribe, Stage.ASSEMBLE: assemble}
    declare_stages(broker, process, stages)


if __name__ == "__main__":
    sys.exit(child.run(sys.argv[1:], declare))
