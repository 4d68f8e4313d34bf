"""A Python that has imported Octavia, and becomes whatever of it is asked for, again and again.

``python -m tests.support.warm.zygote FD ROOM``: FD is its end of the line, and it ends when the other one is closed.
"""

import fcntl
import gc
import importlib
import os
import pickle
import runpy
import signal
import socket
import sys
import time
from collections.abc import Sequence

from octavia.worker.tether import tether
from tests.support.warm import starting
from tests.support.warm.orders import Order, fork
from tests.support.warm.programs import Program
from tests.support.warm.titles import Title

_LARGEST = 1 << 20
_IMPORTED = (
    "alembic.command",
    "octavia.actors",
    "octavia.api.listening",
    "octavia.api.server",
    "octavia.brokers.rabbit",
    "octavia.cli.local.serve",
    "octavia.cli.services",
    "octavia.client",
    "octavia.web",
    "octavia.worker.child",
    "octavia.worker.maintenance",
    "octavia.worker.scheduler",
    "octavia.worker.supervisor",
    "psycopg",
)


def main(line: socket.socket) -> None:
    """Import, serve, and in the end run what was asked for."""
    # What comes of this process says itself which folders it searches.
    sys.path.remove(os.getcwd())
    before = dict(os.environ)
    for name in _IMPORTED:
        importlib.import_module(name)
    said = {name: value for name, value in os.environ.items() if name not in before}
    title = Title()
    gc.collect()
    gc.freeze()
    zygotes: socket.socket | None = line
    while zygotes:
        title.write("a zygote")
        order, files = _serve(zygotes)
        _take_files(order.files, files)
        _take_on(order, said)
        title.write(*order.program.line)
        zygotes = _branch() if order.program.starts_others else None
    _run(order.program)


def _serve(line: socket.socket) -> tuple[Order, Sequence[int]]:
    """Fork what is asked for; returns in each process that is forked, with what that is to be and its files."""
    # A signal to all processes of a tree is not for this one.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        asked, files, _, _ = socket.recv_fds(line, _LARGEST, 64)
        if not asked:
            os._exit(0)
        order: Order = pickle.loads(asked)
        pid = fork(order.parent)
        if not pid:
            # Its number may be that of a file of the new process.
            line.detach()
            return order, files
        for each in files:
            os.close(each)
        line.send(str(pid).encode())


def _branch() -> socket.socket | None:
    """Fork a zygote that serves this process; returns the line to serve in it, and None in this process."""
    ours, theirs = starting.pair()
    if os.fork():
        theirs.close()
        starting.install(starting.Zygote(ours))
        return None
    os.setpgid(0, 0)
    null = os.open(os.devnull, os.O_RDWR)
    _take_files((0, 1, 2, theirs.fileno()), (null, null, null, theirs.fileno()))
    ours.detach()
    return theirs


def _take_files(numbers: Sequence[int], files: Sequence[int]) -> None:
    """Give files these numbers, and close all others."""
    above = max((*numbers, *files)) + 1
    for number, file in zip(numbers, [fcntl.fcntl(file, fcntl.F_DUPFD, above) for file in files], strict=True):
        os.dup2(file, number)
    kept = sorted(numbers)
    for number, following in zip(kept, [*kept[1:], os.sysconf("SC_OPEN_MAX")], strict=True):
        os.closerange(number + 1, following)


def _take_on(order: Order, said: dict[str, str]) -> None:
    """Get the place of a process that was started with ``exec``."""
    if order.session:
        os.setsid()
    else:
        os.setpgid(0, order.group)
    os.umask(order.umask)
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(said | dict(order.environment))
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    if order.program.tethered:
        tether(order.parent)


def _run(program: Program) -> None:
    """Run it as the main module of this process."""
    name, *arguments = program.words
    sys.argv = [name, *arguments]
    if not program.safe:
        sys.path.insert(0, os.getcwd() if program.is_module else os.path.dirname(name))
    sys.modules.pop(name, None)
    if program.is_module:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(name, run_name="__main__")


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
