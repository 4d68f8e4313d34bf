"""What a zygote is asked for, and how the process that it forks becomes a child of whoever asked."""

import ctypes
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.warm.programs import Program

_PR_SET_CHILD_SUBREAPER, _PR_GET_CHILD_SUBREAPER = 36, 37


@dataclass(frozen=True)
class Order:
    """A process to be.

    Attributes:
      group: The process group that it joins; 0: one of its own.
      session: It gets a session of its own.
      parent: The process whose child it is to be.
      files: The numbers under which it has the files that come along.
    """

    program: Program
    environment: Mapping[str, str]
    folder: str
    umask: int
    group: int
    session: bool
    parent: int
    files: tuple[int, ...]


@contextmanager
def adopting() -> Iterator[None]:
    """Become the parent of those below whose own parents end meanwhile."""
    kernel, before = ctypes.CDLL(None), ctypes.c_int()
    kernel.prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(before), 0, 0, 0)
    kernel.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        kernel.prctl(_PR_SET_CHILD_SUBREAPER, before, 0, 0, 0)


def fork(parent: int) -> int:
    """Fork a process as a child of ``parent``, which is above this one and ``adopting``.

    Returns:
      Its id; 0 in the new process.
    """
    reader, writer = os.pipe()
    between = os.fork()
    if not between:
        child = os.fork()
        if child:
            os.write(writer, str(child).encode())
            os._exit(0)
        os.close(reader)
        os.close(writer)
        while os.getppid() != parent:
            time.sleep(0.0005)
        return 0
    os.close(writer)
    os.waitpid(between, 0)
    with os.fdopen(reader) as said:
        return int(said.read())
