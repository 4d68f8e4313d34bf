"""Octavia's processes as they are deployed, but that tests can have them killed at a point: ``python -m … WHAT``.

``supervisor QUEUES``: a supervisor of workers whose actors are those of ``stages.py``; anything else is Octavia's own
command line.
"""

import sys

from octavia.jobs.tables.states import Queue
from octavia.settings import get_settings
from octavia.worker.supervisor import Supervisor
from tests.integration.faults import clocks, points

_CHILD = (sys.executable, "-m", "tests.integration.faults.stages")


def _supervise(queues: str) -> None:
    settings = get_settings()
    chosen = [Queue(name) for name in queues.split(",")]
    Supervisor(settings, chosen, settings.worker_slots, command=_CHILD).run()


if __name__ == "__main__":
    clocks.mend()
    points.in_relays()
    if sys.argv[1] == "supervisor":
        _supervise(sys.argv[2])
    else:
        points.in_the_api()
        from octavia.cli import main

        main()
