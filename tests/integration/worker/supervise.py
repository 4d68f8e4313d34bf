"""``python -m tests.integration.worker.supervise SLOTS``: a supervisor of the workers of ``child.py``, as a service.

It takes the name in TEST_HOST for that of its host, as its workers do.
"""

import os
import socket
import sys

from octavia.settings import get_settings
from octavia.worker.supervisor import Supervisor
from tests.integration.worker.commands import CHILD, WORK

if __name__ == "__main__":
    socket.gethostname = lambda: os.environ["TEST_HOST"]
    Supervisor(get_settings(), WORK, int(sys.argv[1]), command=CHILD).run()
