"""The fork server's own side: it imports what worker processes need, and forks one for each request.

A request is the length of what follows, JSON, and the file descriptors that the process gets. The answer is its process
id, or 0 if the system has no room for it.
"""

import fcntl
import json
import os
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn

from octavia import garbage, programs
from octavia.settings import get_settings
from octavia.worker import kernel, tether

COMMAND: Final = programs.module("octavia.worker.child")
"""The command line of a worker process as a new Python; its arguments follow."""

NUMBER: Final = struct.Struct("!I")
_MOST_FILES: Final = 8
_NAME: Final = programs.module("octavia.worker.forking")


def serve(line: socket.socket, keeper: int) -> NoReturn:
    """Fork what is asked for, and end when nobody can ask any more.

    Call it in a process that its keeper has just forked; it does without what else it has from there.
    """
    _exit_with(lambda: _serve(line, keeper))


def receive(line: socket.socket, size: int) -> bytes:
    """Read so many bytes. Raises ``EOFError`` if the other side has ended."""
    found = b""
    while len(found) < size:
        if not (block := line.recv(size - len(found))):
            raise EOFError("it has ended")
        found += block
    return found


def _serve(line: socket.socket, keeper: int) -> int:
    tether.tether(keeper)
    # A signal to the keeper's group is the keeper's to handle.
    os.setpgid(0, 0)
    for number in signal.valid_signals():
        # As a new program would find them: those that were ignored still are.
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDWR)
    _keep_only({0: null, 1: null, 2: 2, 3: line.detach()})
    _take_environment(programs.environment())
    kernel.show_command(_NAME)
    # What every worker process needs. None of it is ever garbage: a search for some would only copy it into each.
    with garbage.left_alone():
        import octavia.actors
        import octavia.worker.child  # noqa: F401
    with socket.socket(fileno=3) as kept, suppress(EOFError):
        while True:
            _answer(kept, keeper)
    return 0


def _answer(line: socket.socket, keeper: int) -> None:
    header, files, *_ = socket.recv_fds(line, NUMBER.size, _MOST_FILES)
    header += receive(line, NUMBER.size - len(header))
    request = json.loads(receive(line, *NUMBER.unpack(header)))
    begun, begin = os.pipe()
    pid = _fork_twice(lambda: _work(request, files, keeper, begun, begin))
    line.sendall(NUMBER.pack(pid))
    os.write(begin, b".")
    for file in (*files, begun, begin):
        os.close(file)


def _fork_twice(call: Callable[[], int]) -> int:
    """Fork a process whose parent ends at once, so that the keeper adopts it; it exits with what the call returns.

    Returns its id, or 0 if the system has no room for it.
    """
    named, name = os.pipe()
    with os.fdopen(named, "rb") as answer:
        try:
            between = os.fork()
        except OSError:
            os.close(name)
            return 0
        if between == 0:
            _exit_with(lambda: _fork_again(call, name))
        os.close(name)
        os.waitpid(between, 0)
        return int(answer.read() or 0)


def _fork_again(call: Callable[[], int], name: int) -> int:
    pid = os.fork()
    if pid == 0:
        os.close(name)
        _exit_with(call)
    # Before anyone knows of it, so that whoever kills its group finds it there.
    os.setpgid(pid, pid)
    os.write(name, str(pid).encode())
    return 0


def _work(request: Mapping[str, Any], files: Sequence[int], keeper: int, begun: int, begin: int) -> int:
    """Become a worker process, once the keeper has adopted this one, to which it is tethered, and knows of it."""
    os.close(begin)
    if not os.read(begun, 1):
        return 1
    tether.tether(keeper)
    _keep_only({0: 0, **dict(zip(request["files"], files, strict=True))})
    _take_environment(request["environment"])
    kernel.show_command(request["argv"])
    os.chdir(programs.FOLDER)
    get_settings.cache_clear()
    from octavia.worker.child import main

    return main(request["argv"][len(COMMAND) :])


def _keep_only(places: Mapping[int, int]) -> None:
    """Keep these file descriptors, under these numbers, and close all others."""
    wanted = sorted(places)
    free = wanted[-1] + 1
    copies = [fcntl.fcntl(places[number], fcntl.F_DUPFD, free) for number in wanted]
    for number, copy in zip(wanted, copies, strict=True):
        os.dup2(copy, number)
    for number in map(int, os.listdir("/proc/self/fd")):
        if number not in places:
            # The one that read the folder is closed by now.
            with suppress(OSError):
                os.close(number)


def _take_environment(environment: Mapping[str, str]) -> None:
    """Set the environment anew, and all of it, so that none of it stays where ``show_command`` writes."""
    os.environ.clear()
    os.environ.update(environment)


def _exit_with(call: Callable[[], int]) -> NoReturn:
    """Exit with what the call returns, not by way of the frames and handlers of the process that was forked."""
    code = 1
    try:
        code = call()
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
