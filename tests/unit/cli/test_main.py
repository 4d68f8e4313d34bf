"""The first moments of a command."""

import os
import signal
import subprocess
import sys

# A container's first process, on a machine that lets everybody make one.
_CONTAINER = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child")
# All of the command but what it does: it says that it has begun, and takes its time.
_SLOW = """
import time
from octavia.cli import console, main

def run(app):
    print("begun", flush=True)
    time.sleep(60)

console.run = run
main()
"""


def test_the_first_process_of_a_container_hears_a_stop_while_it_starts() -> None:
    # Given a command that still starts
    with subprocess.Popen([*_CONTAINER, sys.executable, "-c", _SLOW], stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout
        assert command.stdout.readline() == "begun\n"
        with open(f"/proc/{command.pid}/task/{command.pid}/children") as children:
            (first,) = map(int, children.read().split())

        # When it is told to stop
        os.kill(first, signal.SIGTERM)

        # Then it ends, and not as if its work were done
        assert command.wait(30) == 128 + signal.SIGTERM
