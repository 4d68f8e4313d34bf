"""Says what a process finds: ``circumstances.py CODE [start]`` exits with CODE; ``start`` has it start another one."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD)


def _found() -> dict[str, object]:
    return {
        "arguments": sys.argv,
        "main": __name__,
        "searched": sys.path[0],
        "folder": os.getcwd(),
        "variables": dict(os.environ),
        "umask": os.umask(0),
        "files": {number: os.readlink(f"/proc/self/fd/{number}") for number in _files()},
        "group": os.getpgrp() == os.getpid(),
        "session": os.getsid(0) == os.getpid(),
        "signals": [str(signal.getsignal(number)) for number in _SIGNALS],
        "blocked": [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
        "line": Path("/proc/self/cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode(),
    }


def _files() -> list[int]:
    """The files that it was given; what it has opened itself is not passed on."""
    numbers = map(int, os.listdir("/proc/self/fd"))
    return sorted(n for n in numbers if os.path.lexists(f"/proc/self/fd/{n}") and os.get_inheritable(n))


if __name__ == "__main__":
    told = {"found": _found(), "parent": os.getppid(), "pid": os.getpid(), "forked": "octavia.web" in sys.modules}
    if "start" in sys.argv:
        other = subprocess.run([sys.executable, __file__, "0"], stdout=subprocess.PIPE, check=True)
        told["other"] = json.loads(other.stdout)
    print(json.dumps(told), flush=True)
    if sys.argv[1] == "wait":
        signal.pause()
    sys.exit(int(sys.argv[1]))
