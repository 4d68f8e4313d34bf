"""One process of ``benchmarks.tracing``, in the tree that ``PYTHONPATH`` names: does what lines of its input say.

It answers each line with the seconds of the clock and of the processor that the work took, as JSON.
"""

import json
import logging
import sys
import time
from collections.abc import Callable

from starlette.testclient import TestClient

from octavia import observability
from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.web import create_app
from tests.integration.jobs.steps import Steps

try:
    from octavia import tracing
except ImportError:  # a tree from before it
    tracing = None  # type: ignore[assignment]

_TEXT = {"type": "dub", "text": "Good morning.", "source_language": "en", "target_language": "es"}


def main() -> None:
    """Serve until the input ends."""
    settings = Settings()
    database = Database(settings.database)
    database.upgrade()
    # Never to standard output, where the answers go.
    observability.configure(settings)
    logging.disable()
    if tracing is not None:
        tracing.configure(settings, "benchmark")
    steps = Steps(database)
    app = create_app(settings, database=database, storage=Storage(settings.storage))
    with TestClient(app, base_url="http://127.0.0.1") as client:

        def submit() -> None:
            answer = client.post("/api/v1/jobs", json=_TEXT)
            assert answer.status_code == 202, answer.text

        def job() -> None:
            steps.submit()
            steps.run_out()

        submit()
        job()
        print("ready", flush=True)
        for line in sys.stdin:
            print(json.dumps(_timed({"submit": submit, "job": job}[line.strip()])), flush=True)
            steps.deliver()


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


if __name__ == "__main__":
    main()
