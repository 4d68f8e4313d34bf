"""The workers of these tests: what runs one, and which queues they serve."""

import sys
from pathlib import Path

from octavia.jobs.tables.states import Queue

CHILD = (sys.executable, str(Path(__file__).with_name("child.py")))
WORK = (Queue.DEFAULT, Queue.TRANSCRIBE)
QUEUES = (*WORK, Queue.MAINTENANCE)
